import type { VNode } from "preact";
import { KEYS, keyLabel } from "../keys.ts";
import { Dialog } from "./dialog.tsx";

/** The table of keys, for people. */
export function KeyList({ onClose }: { readonly onClose: () => void }): VNode {
  const groups = [...new Set(KEYS.map((row) => row.group))];
  return (
    <Dialog title="Keys" isWide onClose={onClose}>
      <div class="key-groups">
        {groups.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl class="key-list">
              {KEYS.filter((row) => row.group === group).map((row) => (
                <div key={row.action}>
                  <dt>
                    {shortly(row.keys).map((key) => (
                      <kbd key={key}>{keyLabel(key)}</kbd>
                    ))}
                  </dt>
                  <dd>{row.label}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}

/** `1` to `9` need not be shown one by one. */
function shortly(keys: readonly string[]): readonly string[] {
  return keys.length > 3 ? [`${keys[0]} – ${keys.at(-1)}`] : keys;
}
