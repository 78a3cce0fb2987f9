import { createHash } from "node:crypto";

/** A manifest of documents: each text by its SHA-256. */
export const digest = (...texts) =>
  Object.fromEntries(texts.map((text) => [createHash("sha256").update(text).digest("hex"), text]));
