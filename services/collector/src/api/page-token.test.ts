import { ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { pageSize, readPageToken, tokenInteger, writePageToken } from "./page-token.ts";

const texts = fc.array(fc.string(), { maxLength: 4 });

test("a token comes back as it was written, whatever the names", () => {
  fc.assert(
    fc.property(texts, texts, (question, place) => {
      const token = writePageToken(question, place);
      expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(readPageToken(token, question, place.length)).toEqual(place);
    }),
  );
});

test("nothing else is a token", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ minLength: 1 }), fc.base64String({ minLength: 4 })), (token) => {
      expect(() => readPageToken(token, ["loss"], 1)).toThrow(ConnectError);
    }),
  );
  const token = writePageToken(["loss", "a"], ["1"]);
  expect(() => readPageToken(token, ["loss", "b"], 1)).toThrow(/not of this question/);
  expect(() => readPageToken(token, ["loss", "a"], 2)).toThrow(ConnectError);
  expect(readPageToken("", ["loss"], 1)).toBeUndefined();
});

test("numbers in it are unsigned 64-bit", () => {
  expect(tokenInteger("1795167830000000000")).toBe(1_795_167_830_000_000_000n);
  for (const text of ["", "-1", "1e3", "99999999999999999999", undefined]) expect(() => tokenInteger(text)).toThrow();
});

test("a page has the usual size, the size asked for, or none", () => {
  expect(pageSize(0, 100, 1000)).toBe(100);
  expect(pageSize(1000, 100, 1000)).toBe(1000);
  expect(() => pageSize(1001, 100, 1000)).toThrow(/page_size 1001/);
  expect(() => pageSize(-1, 100, 1000)).toThrow(ConnectError);
});
