import { parseOwner } from "../../internal/lane/index.ts";
import type { OwnedResource } from "../../internal/supervisor/ports.ts";

type Kind = "network" | "volume";
type Labels = Readonly<Record<string, string>>;

/** Networks and volumes of the fake engine. */
export class FakeResources {
  readonly #kinds: Readonly<Record<Kind, Map<string, Labels>>> = { network: new Map(), volume: new Map() };

  add(kind: Kind, resource: { readonly name: string; readonly labels: Labels }): void {
    if (!this.#kinds[kind].has(resource.name)) this.#kinds[kind].set(resource.name, resource.labels);
  }

  remove(kind: Kind, name: string): void {
    this.#kinds[kind].delete(name);
  }

  list(kind: Kind, install: string): OwnedResource[] {
    return [...this.#kinds[kind]].flatMap(([name, labels]) => {
      const owner = parseOwner(labels);
      return owner?.install === install ? [{ name, lane: owner.lane }] : [];
    });
  }
}
