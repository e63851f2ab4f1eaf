// Addresses: what they say, and what each page reads from them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { consumptionParameters, eventParameters, measuresParts, overviewParameters, yearOf } from "../../src/state/parameters";
import { read } from "../../src/state/route";

const NOW = 1.8e9;

test("a name may hold a question mark, and comes back", () => {
  assert.deepEqual(read("#/chart?s=a-?.b&range=60").series, ["a-?.b"]);
  assert.equal(read("#/chart?s=a-?.b&range=60").range, 60);
});

test("a time that cannot be written is none", () => {
  assert.equal(read("#/chart?until=1e300").until, null);
});

test("what the page of consumption reads is the same for its question and its picture", () => {
  const said = (hash: string) => consumptionParameters(read(hash), NOW);
  assert.deepEqual(said("#/use"), { by: "1d", at: NOW, price: 0, writtenPrice: "" });
  assert.deepEqual(said("#/use?by=1mo&at=1700000000&price=0.5"), { by: "1mo", at: 1.7e9, price: 0.5, writtenPrice: "0.5" });
  assert.equal(said("#/use?by=1w").by, "1d");
  for (const at of ["x", "1e300", "-5", "Infinity"]) assert.equal(said(`#/use?at=${at}`).at, NOW, at);
  for (const price of ["x", "-1", "Infinity"]) assert.equal(said(`#/use?price=${price}`).price, 0, price);
});

test("a year has four digits", () => {
  assert.equal(yearOf(read("#/year?year=1999"), NOW), 1999);
  for (const year of ["", "99", "0", "-2026", "2026.5", "1e9", "x"])
    assert.equal(yearOf(read(`#/year?year=${year}`), NOW), 2027, year);
});

test("events of a sensor's page are those of that sensor; the id of an event is a number", () => {
  assert.deepEqual(eventParameters(read("#/events?sensor=a*&kind=web_*&before=12")), {
    sensor: "a*",
    kind: "web_*",
    before: "12",
  });
  for (const before of ["0", "-7"]) assert.equal(eventParameters(read(`#/events?before=${before}`)).before, before);
  assert.deepEqual(eventParameters(read("#/sensor/a?sensor=b&before=x")), { sensor: "a", kind: "", before: "" });
});

test("what the overview and the page of the database show", () => {
  assert.deepEqual(overviewParameters(read("#/?find=x&by=room&show=rows")), { find: "x", by: "room", show: "rows" });
  assert.deepEqual(overviewParameters(read("#/?show=tiles")), { find: "", by: undefined, show: undefined });
  assert.deepEqual([measuresParts(read("#/database?parts=1")), measuresParts(read("#/database?parts=x"))], [true, false]);
});
