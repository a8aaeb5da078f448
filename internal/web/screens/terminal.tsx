import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiLane, ApiTerminalTicket } from "../../protocol/index.ts";
import { describeError } from "../api.ts";
import type { App } from "../app.ts";
import { openConnection, type TerminalConnection } from "../terminal/connection.ts";
import { openView } from "../terminal/view.ts";
import { LanePage } from "./lane-page.tsx";
import type { ScreenProps } from "./screen.ts";

/** A shell never starts by itself: a link that leads here must not do anything. */
type Shell =
  | { readonly kind: "none" }
  | { readonly kind: "open"; readonly nth: number }
  | { readonly kind: "ended"; readonly nth: number; readonly how: string };

/** A shell in a lane, ended with this screen. */
export function Terminal(props: ScreenProps): VNode {
  const [shell, setShell] = useState<Shell>({ kind: "none" });
  const nth = shell.kind === "none" ? 0 : shell.nth;
  const start = useRef<HTMLButtonElement>(null);
  return (
    <LanePage
      {...props}
      at="terminal"
      title="Terminal"
      isWide
      actions={() => (
        <button
          ref={start}
          type="button"
          class={`button ${shell.kind === "open" ? "" : "primary"}`}
          onClick={() =>
            setShell(
              shell.kind === "open" ? { ...shell, kind: "ended", how: "Ended." } : { kind: "open", nth: nth + 1 },
            )
          }
        >
          {shell.kind === "open" ? "End the shell" : shell.kind === "none" ? "Start a shell" : "Start another shell"}
        </button>
      )}
    >
      {(lane) => (
        <>
          <p class="quiet" role="status">
            {shell.kind === "none"
              ? "A shell as the lane's agent, in its container. It ends, with all that it started, when you leave."
              : shell.kind === "open"
                ? "Ctrl+Alt+X leaves the terminal for the rest of the page."
                : shell.how}
          </p>
          {shell.kind === "none" ? null : (
            <Shown
              key={`${lane.id} ${shell.nth}`}
              app={props.app}
              lane={lane}
              isOpen={shell.kind === "open"}
              onEnd={(how) => setShell({ kind: "ended", nth: shell.nth, how })}
              onLeave={() => start.current?.focus()}
            />
          )}
        </>
      )}
    </LanePage>
  );
}

function Shown(props: {
  readonly app: App;
  readonly lane: ApiLane;
  readonly isOpen: boolean;
  readonly onEnd: (how: string) => void;
  readonly onLeave: () => void;
}): VNode {
  const { app, lane, isOpen } = props;
  const box = useRef<HTMLElement>(null);
  const connection = useRef<TerminalConnection | null>(null);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    if (!box.current) return;
    const gone = new AbortController();
    const view = openView(box.current, {
      onInput: (bytes) => connection.current?.type(bytes),
      onResize: (size) => connection.current?.resize(size),
      onLeave: () => latest.current.onLeave(),
    });
    const end = (how: string) => gone.signal.aborted || latest.current.onEnd(how);
    view.focus();
    const asked = view.size;
    app.api
      .call<ApiTerminalTicket>("POST", `/v1/lanes/${lane.id}/terminal`, asked, gone)
      .then((ticket) => {
        if (gone.signal.aborted) return;
        connection.current = openConnection(ticket, {
          onOutput: (bytes, drawn) => view.write(bytes, drawn),
          onEnd: end,
        });
        if (view.size.cols !== asked.cols || view.size.rows !== asked.rows) connection.current.resize(view.size);
      })
      .catch((error: unknown) => end(describeError(error)));
    return () => {
      gone.abort();
      connection.current?.close();
      view[Symbol.dispose]();
    };
  }, [app, lane.id]);
  useEffect(() => {
    if (!isOpen) connection.current?.close();
  }, [isOpen]);
  return <section ref={box} class="terminal-box" aria-label={`Terminal in ${lane.name}`} />;
}
