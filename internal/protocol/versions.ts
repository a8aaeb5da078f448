/** Version of the worker link. A worker of another version is drift by its content hash; this is the safety net. */
export const LINK_PROTOCOL = 1;

/** Version of the host API, the `v1` of its paths. */
export const API_VERSION = 1;
