import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { App } from "../app.ts";

const WISH = "lanekeeper.notify";

/** Does this person want desktop notifications, and may the page show them? */
export function wantsNotifications(): boolean {
  return "Notification" in window && Notification.permission === "granted" && localStorage.getItem(WISH) === "on";
}

/** Turns desktop notifications on and off. The browser asks for leave the first time. */
export function NotifyButton({ app }: { readonly app: App }): VNode | null {
  const [isOn, setOn] = useState(wantsNotifications);
  if (!("Notification" in window)) return null;
  const toggle = async () => {
    if (isOn) {
      localStorage.removeItem(WISH);
      return setOn(false);
    }
    if ((await Notification.requestPermission()) !== "granted") {
      return app.say("The browser does not let this page notify you");
    }
    localStorage.setItem(WISH, "on");
    setOn(true);
  };
  return (
    <button type="button" class="button plain" aria-pressed={isOn} onClick={() => void toggle()}>
      {isOn ? "Notifications on" : "Notify me"}
    </button>
  );
}
