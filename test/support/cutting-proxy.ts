import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP proxy on loopback that can cut what runs through it. */
export interface CuttingProxy extends AsyncDisposable {
  readonly endpoint: string;
  /** Cuts all connections now. */
  cut(): void;
  /** Bytes that went from the target to the client so far. */
  bytes(): number;
}

/** Starts a proxy to `endpoint`; every connection is cut after about `bytesPerConnection` towards the client. */
export async function startCuttingProxy(endpoint: string, bytesPerConnection = Infinity): Promise<CuttingProxy> {
  const port = Number(new URL(endpoint).port);
  const sockets = new Set<Socket>();
  let total = 0;
  const server = createServer((client) => {
    const target = connect(port, "127.0.0.1");
    let passed = 0;
    const end = () => {
      client.destroy();
      target.destroy();
      sockets.delete(client);
    };
    sockets.add(client);
    for (const socket of [client, target]) socket.on("error", end).on("close", end);
    client.on("data", (bytes) => target.write(bytes));
    target.on("data", (bytes) => {
      passed += bytes.length;
      total += bytes.length;
      if (passed <= bytesPerConnection) client.write(bytes);
      // Half of what would be too much, so that a frame is torn.
      else client.write(bytes.subarray(0, bytes.length / 2), end);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    bytes: () => total,
    [Symbol.asyncDispose]: async () => {
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
