const IP_OR_LOCALHOST = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]|localhost)(?::\d{1,5})?$/;

/**
 * Is the request addressed to an IP or to `localhost`? A page that rebinds its own name to this address (threat T20)
 * sends that name. Exactly one Host header counts.
 */
export function isHostAllowed(rawHeaders: readonly string[]): boolean {
  const hosts = rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === "host");
  return hosts.length === 1 && IP_OR_LOCALHOST.test(hosts[0] ?? "");
}
