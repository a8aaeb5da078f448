import { connect } from "node:net";

/** Sends bytes as they are and resolves with all that came back until the server closed, or `idleMs` of silence. */
export function sendRaw(
  where: { readonly port: number } | { readonly path: string },
  bytes: string | Buffer,
  idleMs = 1000,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = "port" in where ? connect(where.port, "127.0.0.1") : connect(where.path);
    let text = "";
    const done = () => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(idleMs, done);
    socket.on("data", (chunk) => {
      text += chunk.toString("utf8");
    });
    socket.on("end", done);
    // A server that closes on an unread body resets the connection; what it said has come before.
    socket.on("error", (error) => (text === "" ? reject(error) : done()));
    socket.write(bytes);
  });
}
