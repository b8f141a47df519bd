import { packageVersion } from "@waymark/agent";

/** This service's version. */
export const VERSION = packageVersion(import.meta.url);
