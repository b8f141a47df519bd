import { MAX_STREAMS, StreamGate } from "./stream-gate.ts";

class Stream {
  flows = false;
  pause(): void {
    this.flows = false;
  }
  resume(): void {
    this.flows = true;
  }
}

const KIB = 1024;

test("holds up every stream while too many bytes are under way, and lets them go on afterwards", () => {
  const gate = new StreamGate(10 * KIB);
  const [a, b] = [new Stream(), new Stream()];
  for (const stream of [a, b]) expect(gate.enter(stream)).toBe(true);
  gate.began(a, 5 * KIB);
  expect([a.flows, b.flows]).toEqual([true, true]);
  gate.began(b, 4 * KIB);
  expect([a.flows, b.flows]).toEqual([false, false]);
  const late = new Stream();
  gate.enter(late);
  expect(late.flows).toBe(false);
  gate.leave(a);
  gate.ended(a, 5 * KIB);
  expect([a.flows, b.flows, late.flows]).toEqual([false, true, true]);
});

test("holds up one stream with too many reports under way, and no other", () => {
  const gate = new StreamGate();
  const [a, b] = [new Stream(), new Stream()];
  for (const stream of [a, b]) gate.enter(stream);
  for (let i = 0; i < 256; i++) gate.began(a, 1);
  expect([a.flows, b.flows]).toEqual([false, true]);
  gate.ended(a, 1);
  expect(a.flows).toBe(true);
});

test("many small reports count as well", () => {
  const gate = new StreamGate(10 * KIB);
  const stream = new Stream();
  gate.enter(stream);
  for (let i = 0; i < 10; i++) gate.began(stream, 0);
  expect(stream.flows).toBe(false);
});

test("lets in so many streams and counts those that it refuses", () => {
  const gate = new StreamGate();
  const streams = Array.from({ length: MAX_STREAMS }, () => new Stream());
  expect(streams.every((stream) => gate.enter(stream))).toBe(true);
  expect(gate.enter(new Stream())).toBe(false);
  expect(gate.refused).toBe(1);
  gate.leave(streams[0]!);
  expect(gate.enter(new Stream())).toBe(true);
});

test("reads nothing any more once it is closed", () => {
  const gate = new StreamGate();
  const stream = new Stream();
  gate.enter(stream);
  gate.began(stream, 1);
  gate.close();
  gate.ended(stream, 1);
  expect(stream.flows).toBe(false);
});
