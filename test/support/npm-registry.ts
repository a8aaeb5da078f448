import { createHash } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

/** A package as tests publish it; files by path, those that begin with `#!` are programs. */
export interface TestPackage {
  readonly name: string;
  readonly version: string;
  readonly files: Readonly<Record<string, string>>;
  /** More of its package.json. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** An npm registry on loopback with a few packages. */
export interface TestRegistry extends AsyncDisposable {
  /** For `npm_config_registry`. */
  readonly url: string;
  publish(...packages: readonly TestPackage[]): Promise<void>;
  /** Tarballs asked for so far. */
  readonly downloads: readonly string[];
  /** Tarballs are held back in the middle until it is called with false. */
  hold(on: boolean): void;
  /** Tarballs are not what their digest says. */
  corrupt(on: boolean): void;
}

/** Starts a registry. */
export async function startRegistry(): Promise<TestRegistry> {
  const packages = new Map<string, Map<string, { readonly meta: Record<string, unknown>; readonly tarball: Buffer }>>();
  const downloads: string[] = [];
  const held: (() => void)[] = [];
  let holding = false;
  let corrupting = false;

  function sendTarball(answer: ServerResponse, tarball: Buffer): void {
    const body = corrupting ? Buffer.concat([tarball.subarray(0, -1), Buffer.of(1)]) : tarball;
    const half = Math.floor(body.length / 2);
    answer.writeHead(200, { "content-type": "application/octet-stream", "content-length": body.length });
    answer.write(body.subarray(0, half));
    const finish = () => answer.end(body.subarray(half));
    if (holding) held.push(finish);
    else finish();
  }

  const server = createServer((request, answer) => {
    const path = decodeURIComponent((request.url ?? "").slice(1).split("?")[0] ?? "");
    const [name = "", file] = path.split("/-/");
    const versions = packages.get(name);
    const tarball = file === undefined ? undefined : versions?.get(file)?.tarball;
    if (file !== undefined && tarball) {
      downloads.push(`${name}@${file}`);
      return sendTarball(answer, tarball);
    }
    if (!versions || file !== undefined) return void answer.writeHead(404).end("{}");
    const all = Object.fromEntries([...versions].map(([version, { meta }]) => [version, meta]));
    const body = { name, "dist-tags": { latest: [...versions.keys()].at(-1) }, versions: all };
    answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    url,
    downloads,
    async publish(...wanted) {
      for (const { name, version, files, more = {} } of wanted) {
        const meta = { name, version, ...more };
        const tarball = await toTarball({ "package.json": JSON.stringify(meta), ...files });
        const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
        const dist = { tarball: `${url}${name}/-/${version}`, integrity };
        const versions = packages.get(name) ?? new Map();
        packages.set(name, versions.set(version, { meta: { ...meta, dist }, tarball }));
      }
    },
    hold(on) {
      holding = on;
      if (!on) for (const finish of held.splice(0)) finish();
    },
    corrupt(on) {
      corrupting = on;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function toTarball(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const tar = pack();
  for (const [path, content] of Object.entries(files)) {
    tar.entry({ name: `package/${path}`, mode: content.startsWith("#!") ? 0o755 : 0o644 }, content);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}
