import type { VNode } from "preact";
import type { Block, Timeline } from "../data/timeline.ts";
import { formatCount } from "../format.ts";
import { renderMarkdown } from "../markdown.ts";
import { Output } from "./output.ts";

/** What happened in a job, in order. Tool calls are folded; what was long is cut and says so. */
export function TimelineView({ timeline }: { readonly timeline: Timeline }): VNode {
  return (
    <div class="timeline">
      {timeline.dropped > 0 ? <p class="quiet">{formatCount(timeline.dropped, "earlier step")} not shown.</p> : null}
      {timeline.blocks.map((block) => (
        <BlockView key={block.id} block={block} />
      ))}
    </div>
  );
}

function BlockView({ block }: { readonly block: Block }): VNode {
  switch (block.kind) {
    case "text":
      // Half a text is not Markdown yet, and drawing it anew with every piece would be dear.
      return block.live ? <div class="markdown live">{block.text}</div> : renderMarkdown(block.text);
    case "thinking":
      return (
        <details class="fold">
          <summary>Thinking</summary>
          <div class="fold-body thinking">{block.text}</div>
        </details>
      );
    case "tool":
      return <ToolView block={block} />;
    case "output":
      return <Output text={block.text} label={block.stream} class={block.stream === "stderr" ? "stderr" : ""} />;
    case "files":
      return (
        <details class="fold">
          <summary>
            Changed {formatCount(block.paths.length, "file")}
            <code class="fold-hint">{block.paths[0]}</code>
          </summary>
          <ul class="fold-body paths">
            {block.paths.map((path) => (
              <li key={path}>
                <code>{path}</code>
              </li>
            ))}
          </ul>
        </details>
      );
    case "plan":
      return (
        <ul class="plan" aria-label="Plan">
          {block.steps.map((step) => (
            <li key={step.text} class={step.done ? "is-done" : ""}>
              <span aria-hidden="true">{step.done ? "✓" : "○"}</span>
              <span class="unseen">{step.done ? "done:" : "to do:"}</span> {step.text}
            </li>
          ))}
        </ul>
      );
    case "ask":
      return (
        <div class="notice">
          <strong>Asked:</strong> {block.question}
          {block.choices.length > 0 ? <span class="quiet"> ({block.choices.join(", ")})</span> : null}
        </div>
      );
    case "note":
      return <p class={block.tone === "warn" ? "notice warn" : "quiet"}>{block.text}</p>;
  }
}

function ToolView({ block }: { readonly block: Extract<Block, { readonly kind: "tool" }> }): VNode {
  const words = { running: "running", ok: "ok", failed: "failed" };
  return (
    <details class="fold">
      <summary>
        <span class={`tool-state tone-${block.state === "failed" ? "bad" : block.state === "ok" ? "good" : "busy"}`}>
          {words[block.state]}
        </span>
        <span class="tool-name">{block.tool}</span>
        <code class="fold-hint">{block.title}</code>
      </summary>
      {block.output === "" ? (
        <p class="fold-body quiet">No output.</p>
      ) : (
        <Output text={block.output} label={`Output of ${block.tool}`} class="fold-body" />
      )}
    </details>
  );
}
