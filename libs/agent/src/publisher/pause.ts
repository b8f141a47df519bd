/** A wait that can be cut short. Ending it while nobody waits does nothing. */
export class Pause {
  #end: (() => void) | undefined;

  /** Resolves after `ms`, or when `end` is called. */
  async for(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#end = undefined;
  }

  /** Ends the present wait. */
  end(): void {
    this.#end?.();
  }
}
