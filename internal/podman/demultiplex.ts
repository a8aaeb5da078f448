/** The text of container logs, which come in frames of `[stream, 0, 0, 0, length32]`. */
export function demultiplex(bytes: Buffer): string {
  let text = "";
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    text += bytes.toString("utf8", at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text;
}
