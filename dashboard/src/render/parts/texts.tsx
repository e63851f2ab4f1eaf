// Texts in a form of their own: a state, a sentence instead of nothing, a long name.

import type { ComponentChildren } from "preact";
import type { Level } from "../../state/health";

/** A state in a coloured frame. */
export const Pill = ({ level, children }: { level: Level; children: ComponentChildren }) => (
  <span class={`state ${level}`}>{children}</span>
);

/** A sentence where there is nothing to show. */
export const Empty = ({ children }: { children: ComponentChildren }) => <p class="empty">{children}</p>;

/** A word may be broken after a dash, a dot or an underscore, and nowhere else. */
export function Breakable({ children }: { children: string }) {
  const parts = children.split(/(?<=[-_.])/);
  return (
    <>
      {parts.map((part, index) => (
        <span key={index}>
          {index ? <wbr /> : null}
          {part}
        </span>
      ))}
    </>
  );
}
