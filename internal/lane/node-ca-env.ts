/**
 * What Node-based programs in a lane need to trust the host's CA bundle, from the environment they would otherwise
 * have. It is given to jobs and to `lane exec`, not to the container: Node reads the whole bundle while it boots
 * (55 ms measured), and the worker, which every start of a lane waits for, speaks to nothing over TLS.
 */
export function nodeCaEnv(env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const bundle = env.SSL_CERT_FILE;
  return bundle === undefined || env.NODE_EXTRA_CA_CERTS !== undefined ? {} : { NODE_EXTRA_CA_CERTS: bundle };
}
