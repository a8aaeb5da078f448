import type { RefObject, VNode } from "preact";
import type { ApiInboxItem } from "../../protocol/index.ts";
import type { App } from "../app.ts";
import { useKept, useKeys } from "./hooks.ts";

interface AnswerProps {
  readonly app: App;
  readonly item: ApiInboxItem;
  readonly onAnswer: (answer: string) => void;
  /** Where the keys `r` and `x` put the focus. */
  readonly field: RefObject<HTMLTextAreaElement | null>;
  /** A denial is being written: what is sent is the second choice with the reason. */
  readonly isDenying: boolean;
  readonly onDeny: () => void;
}

/** Ways to answer an item: its choices as numbered buttons and, to a question, words of one's own. */
export function Answer(props: AnswerProps): VNode {
  const { item, onAnswer, isDenying } = props;
  if (item.kind === "question") {
    const label = item.choices.length > 0 ? "Or in your own words" : "Your answer";
    return (
      <div class="answer">
        <Choices item={item} onAnswer={onAnswer} />
        <Words {...props} label={label} button="Send" onSend={(text) => text !== "" && onAnswer(text)} />
      </div>
    );
  }
  const [yes, no] = item.choices;
  if (item.kind !== "approval" || yes === undefined || no === undefined) {
    return <Choices item={item} onAnswer={onAnswer} />;
  }
  return (
    <div class="answer">
      <div class="choices">
        <button type="button" class="button primary" onClick={() => onAnswer(yes)}>
          Approve <kbd>a</kbd>
        </button>
        <button type="button" class="button" aria-expanded={isDenying} onClick={props.onDeny}>
          Deny… <kbd>x</kbd>
        </button>
      </div>
      {isDenying ? (
        <Words
          {...props}
          label="Why not?"
          button="Deny"
          onSend={(text) => onAnswer(text === "" ? no : `${no}: ${text}`)}
        />
      ) : null}
    </div>
  );
}

function Choices({ item, onAnswer }: Pick<AnswerProps, "item" | "onAnswer">): VNode | null {
  if (item.choices.length === 0) return null;
  return (
    <ol class="choices" aria-label="Choices">
      {item.choices.map((choice, at) => (
        <li key={choice}>
          <button type="button" class="button choice" onClick={() => onAnswer(choice)}>
            <kbd>{at + 1}</kbd>
            <span>{choice}</span>
          </button>
        </li>
      ))}
    </ol>
  );
}

/** A text, sent by its button or by the key for it. */
function Words(
  props: Pick<AnswerProps, "app" | "item" | "field"> & {
    readonly label: string;
    readonly button: "Send" | "Deny";
    readonly onSend: (text: string) => void;
  },
): VNode {
  const { item, button } = props;
  // Also when the answer is taken back, and the item is here again.
  const [text, setText] = useKept(props.app.answers, item.id, "");
  const send = () => props.onSend(text.trim());
  useKeys(props.app, { send });
  const id = `answer-${item.id}`;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label for={id}>{props.label}</label>
      <textarea
        id={id}
        ref={props.field}
        class="input"
        rows={3}
        value={text}
        onInput={({ currentTarget }) => setText(() => currentTarget.value)}
      />
      <p class="actions">
        <button
          type="submit"
          class={`button ${button === "Deny" ? "danger" : "primary"}`}
          disabled={button === "Send" && text.trim() === ""}
        >
          {button} <kbd>Ctrl ↵</kbd>
        </button>
        {item.default === null ? null : <span class="quiet">Without an answer: {item.default}</span>}
      </p>
    </form>
  );
}
