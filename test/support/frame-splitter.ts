const TEXT_OPCODE = 1;

/**
 * Takes one direction of a WebSocket connection as it comes, and gives it on piece by piece: first the head of the
 * HTTP exchange, then frame by frame. `text` is a text frame's content, unmasked; null for all else. The link uses
 * neither compression nor fragments.
 */
export function createFrameSplitter(onPiece: (bytes: Buffer, text: string | null) => void): (bytes: Buffer) => void {
  let rest = Buffer.alloc(0);
  let isHead = true;
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    for (;;) {
      const length = isHead ? headLength(rest) : frameLength(rest);
      if (length === null || rest.length < length) return;
      const piece = rest.subarray(0, length);
      rest = rest.subarray(length);
      onPiece(piece, isHead ? null : textOf(piece));
      isHead = false;
    }
  };
}

/** Null while it is not whole. */
function headLength(bytes: Buffer): number | null {
  const end = bytes.indexOf("\r\n\r\n");
  return end === -1 ? null : end + 4;
}

/** Null while too little is there to tell. */
function frameLength(bytes: Buffer): number | null {
  const parts = measure(bytes);
  return parts === null ? null : parts.start + parts.size;
}

function textOf(frame: Buffer): string | null {
  const parts = measure(frame);
  if (parts === null || ((frame[0] ?? 0) & 0x0f) !== TEXT_OPCODE) return null;
  const content = Buffer.from(frame.subarray(parts.start));
  if (parts.masked) {
    const mask = frame.subarray(parts.start - 4, parts.start);
    for (const [i, byte] of content.entries()) content[i] = byte ^ (mask[i % 4] ?? 0);
  }
  return content.toString("utf8");
}

/** RFC 6455, 5.2. `start` is where the content starts, `size` its bytes. */
function measure(bytes: Buffer): { readonly start: number; readonly size: number; readonly masked: boolean } | null {
  const second = bytes[1];
  if (second === undefined) return null;
  const masked = (second & 0x80) !== 0;
  const short = second & 0x7f;
  const extra = short === 127 ? 8 : short === 126 ? 2 : 0;
  if (bytes.length < 2 + extra) return null;
  const size = extra === 8 ? Number(bytes.readBigUInt64BE(2)) : extra === 2 ? bytes.readUInt16BE(2) : short;
  return { start: 2 + extra + (masked ? 4 : 0), size, masked };
}
