import { type DerivedImage, derivedImageOf, hasPackages, type Lane, renderPackages } from "../lane/index.ts";
import type { Wanted } from "../reconcile/index.ts";
import type { Workshop } from "./deps.ts";
import type { CallOptions, EngineConnection, LaneLink } from "./ports.ts";

/** Looks an image up; many lanes share one look. */
export type ImageFinder = (reference: string) => Promise<{ readonly id: string } | null>;

/** An {@link ImageFinder} that asks the engine once per reference. */
export function findImagesOnce(engine: EngineConnection, opts: CallOptions): ImageFinder {
  const asked = new Map<string, Promise<{ readonly id: string } | null>>();
  return (reference) => {
    const known = asked.get(reference) ?? engine.runtime.findImage(reference, opts);
    asked.set(reference, known);
    return known;
  };
}

/** The id of the image that a lane is made from, or why there is none. */
type ObservedImage = { readonly kind: "found"; readonly id: string } | Exclude<Wanted["spec"], { readonly kind: "ok" }>;

/** Looks for a lane's image: the one it names, or what is made of that and the lane's packages. */
export async function observeImage<L extends LaneLink>(
  shop: Workshop<L>,
  lane: Lane,
  find: ImageFinder,
): Promise<ObservedImage> {
  const { image, packages } = lane.settings;
  const reference = image ?? shop.defaultImage;
  const base = await find(reference);
  if (!base) {
    const cause = {
      code: "engine.image_missing",
      message: `lane ${lane.name}: the image ${reference} is not on this machine`,
      hint:
        reference === shop.defaultImage ? "build it: make image" : `pull or build it, then: lane start ${lane.name}`,
    };
    return { kind: "error", cause };
  }
  const derived = hasPackages(packages) ? derivedImageOf(shop.install.install, base.id, packages) : null;
  shop.images?.note(lane.id, derived);
  if (derived === null) return { kind: "found", id: base.id };
  const made = await find(derived.name);
  return made ? { kind: "found", id: made.id } : unmade(shop, lane, derived);
}

/** It could not be made, or is to be. */
function unmade<L extends LaneLink>(shop: Workshop<L>, lane: Lane, image: DerivedImage): ObservedImage {
  const failure = shop.images?.failureOf(lane.id, image);
  if (failure) return { kind: "error", cause: failure };
  const message = `lane ${lane.name}: its image with ${renderPackages(image.packages)} is not made yet`;
  return { kind: "unbuilt", image, cause: { code: "image_unmade", message } };
}
