import { type ComponentType, h, type JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { App } from "../app.ts";
import type { Place } from "../router.ts";

/** What every screen gets. `place.params.id` is the lane's id (or name) on the screens of a lane. */
export interface ScreenProps {
  readonly app: App;
  readonly place: Place;
}

/** A screen: fills the main part of the page, and says its title in an `h1`. */
export type Screen = ComponentType<ScreenProps>;

/**
 * A screen that is loaded when it is first shown: `lazy(async () => (await import("./health.tsx")).Health)`. A failed load
 * is said, with a way to try again.
 */
export function lazy(load: () => Promise<Screen>): Screen {
  return function Lazy(props: ScreenProps): JSX.Element {
    const [loaded, setLoaded] = useState<{ screen: Screen } | { failed: true } | null>(null);
    useEffect(() => {
      if (loaded === null)
        load().then(
          (screen) => setLoaded({ screen }),
          () => setLoaded({ failed: true }),
        );
    }, [loaded]);
    if (loaded === null) return h("p", { class: "quiet pad", role: "status" }, "Loading…");
    if ("screen" in loaded) return h(loaded.screen, props);
    return h(
      "p",
      { class: "pad", role: "alert" },
      "This part of the page could not be loaded. ",
      h("button", { type: "button", class: "button", onClick: () => setLoaded(null) }, "Try again"),
    );
  };
}
