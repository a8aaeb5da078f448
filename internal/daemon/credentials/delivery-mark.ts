import { existsSync, writeFileSync } from "node:fs";

/** Remembers, over restarts, that some lane may hold credentials. */
export interface DeliveryMark {
  readonly isSet: boolean;
  /** Before the first delivery. Throws the system's error when it cannot be written: then nothing may be delivered. */
  set(): void;
}

/** The mark is an empty file, which is never removed: lanes' volumes outlive what was delivered into them. */
export function openDeliveryMark(path: string): DeliveryMark {
  let isSet = existsSync(path);
  return {
    get isSet() {
      return isSet;
    },
    set: () => {
      if (isSet) return;
      writeFileSync(path, "", { mode: 0o600 });
      isSet = true;
    },
  };
}
