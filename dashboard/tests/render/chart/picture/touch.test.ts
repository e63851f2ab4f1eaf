// Fingers on a picture: one moves in time, two zoom.

import assert from "node:assert/strict";
import { test } from "node:test";
import type uPlot from "uplot";
import type { Gestures } from "../../../../src/render/chart/picture/gestures";
import { touch } from "../../../../src/render/chart/picture/touch";

const WIDTH = 1000;

/** A picture that is WIDTH wide and shows the seconds 0 to WIDTH; `did`: what the gestures have come to. */
function picture() {
  const over = Object.assign(new EventTarget(), {
    style: {},
    clientWidth: WIDTH,
    getBoundingClientRect: () => ({ left: 0 }),
  });
  const did: string[] = [];
  const gestures: Gestures = {
    zoom: () => did.push("zoom"),
    pan: (share) => did.push(`pan ${share.toFixed(2)}`),
    scale: (factor, around) => did.push(`scale ${factor.toFixed(2)} around ${around}`),
    cursor: () => undefined,
    say: () => undefined,
  };
  touch({ over, posToVal: (left: number) => left } as unknown as uPlot, () => gestures);
  const finger = (type: string, pointerId: number, clientX: number) =>
    over.dispatchEvent(Object.assign(new Event(type), { pointerId, clientX, pointerType: "touch" }));
  const swipe = (id: number, from: number, to: number) => {
    finger("pointerdown", id, from);
    finger("pointermove", id, to);
    finger("pointerup", id, to);
  };
  const pinch = (first: number, second: number) => {
    finger("pointerdown", first, 400);
    finger("pointerdown", second, 600);
    finger("pointermove", first, 300);
    finger("pointermove", second, 700);
  };
  return { did, finger, swipe, pinch };
}

test("a swipe moves, a pinch zooms around its middle, and the swipe after it moves again", () => {
  const { did, finger, swipe, pinch } = picture();
  swipe(1, 800, 300);
  pinch(2, 3);
  finger("pointerup", 2, 300);
  finger("pointerup", 3, 700);
  swipe(4, 300, 800);
  assert.deepEqual(did, ["pan 0.50", "scale 0.50 around 500", "pan -0.50"]);
});

test("the finger that stays down after a pinch does not swipe", () => {
  const { did, finger, pinch } = picture();
  pinch(2, 3);
  finger("pointerup", 2, 300);
  finger("pointermove", 3, 100);
  finger("pointerup", 3, 100);
  assert.deepEqual(did, ["scale 0.50 around 500"]);
});

test("a finger that the browser takes over, to scroll the page, is no part of a gesture", () => {
  const { did, finger, swipe, pinch } = picture();
  pinch(1, 2);
  finger("pointercancel", 1, 300);
  finger("pointerup", 2, 900);
  swipe(3, 800, 300);
  assert.deepEqual(did, ["pan 0.50"]);
});

test("a tap does neither", () => {
  const { did, swipe } = picture();
  swipe(1, 500, 510);
  assert.deepEqual(did, []);
});
