import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { App } from "../app.ts";

const NOTIFY = "lanekeeper.notify";
const SOUND = "lanekeeper.sound";

/** Does this person want desktop notifications, and may the page show them? */
export function wantsNotifications(): boolean {
  return "Notification" in window && Notification.permission === "granted" && localStorage.getItem(NOTIFY) === "on";
}

/** Does this person want to hear of what comes? */
export function wantsSound(): boolean {
  return localStorage.getItem(SOUND) === "on";
}

/** Turns desktop notifications and the sound on and off, for this browser. Both are off until a person turns them on. */
export function Wishes({ app }: { readonly app: App }): VNode {
  const [notifies, setNotifies] = useState(wantsNotifications);
  const [sounds, setSounds] = useState(wantsSound);
  useEffect(() => {
    const stop = new AbortController();
    const look = () => {
      setNotifies(wantsNotifications());
      setSounds(wantsSound());
    };
    // Another tab has changed it.
    addEventListener("storage", look, stop);
    return () => stop.abort();
  }, []);
  const wish = (key: string, isOn: boolean) => {
    if (isOn) localStorage.setItem(key, "on");
    else localStorage.removeItem(key);
  };
  const toggleNotify = async () => {
    if (!notifies && (await Notification.requestPermission()) !== "granted") {
      return app.say("The browser does not let this page notify you.");
    }
    wish(NOTIFY, !notifies);
    setNotifies(!notifies);
  };
  const toggleSound = () => {
    wish(SOUND, !sounds);
    setSounds(!sounds);
    if (!sounds) app.chime.turnOn();
  };
  return (
    <fieldset class="wishes">
      <legend class="unseen">Tell me of new items</legend>
      {"Notification" in window ? (
        <label class="check">
          <input type="checkbox" checked={notifies} onChange={() => void toggleNotify()} />
          Notify me
        </label>
      ) : null}
      <label class="check">
        <input type="checkbox" checked={sounds} onChange={toggleSound} />
        Sound
      </label>
    </fieldset>
  );
}
