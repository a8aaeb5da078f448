import { open } from "node:fs/promises";

/** What stands before the pack in a bundle. */
export interface BundleHeader {
  readonly prerequisites: readonly string[];
  readonly refs: readonly { readonly oid: string; readonly name: string }[];
  /** Where the pack begins. */
  readonly length: number;
  /** Objects in the pack, as it says itself. */
  readonly objects: number;
}

/** A header lists one line per prerequisite; ours have a handful. */
const HEADER_MAX_BYTES = 64 * 1024;
/** Behind the header: signature, version, number of objects. */
const PACK_HEAD_BYTES = 12;

/** Reads the head of a bundle file, or says why it is none. */
export async function readBundleHeader(path: string): Promise<BundleHeader | string> {
  const file = await open(path, "r");
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(HEADER_MAX_BYTES), 0, HEADER_MAX_BYTES, 0);
    return parseBundleHeader(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

/** Parses the beginning of a bundle. No capability but the object format's is taken. */
export function parseBundleHeader(bytes: Buffer): BundleHeader | string {
  const end = bytes.indexOf("\n\n");
  if (end === -1) return "it has no end of its header";
  const length = end + 2;
  const [signature = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\n");
  if (!/^# v[23] git bundle$/.test(signature)) return "it is no bundle";
  const prerequisites: string[] = [];
  const refs: { oid: string; name: string }[] = [];
  for (const line of lines) {
    if (/^@object-format=sha(1|256)$/.test(line)) continue;
    const match = /^(-?)([0-9a-f]{40}|[0-9a-f]{64})(?: (.*))?$/.exec(line);
    if (match?.[2] === undefined) return "a line of its header does not fit";
    if (match[1] === "-") prerequisites.push(match[2]);
    else refs.push({ oid: match[2], name: Buffer.from(match[3] ?? "", "latin1").toString("utf8") });
  }
  const pack = bytes.subarray(length, length + PACK_HEAD_BYTES);
  if (pack.length < PACK_HEAD_BYTES || pack.toString("latin1", 0, 4) !== "PACK") return "it has no pack";
  return { prerequisites, refs, length, objects: pack.readUInt32BE(8) };
}
