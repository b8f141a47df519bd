/** As much of a terminal as the live view uses: text, positions, erasing; lines that are too long wrap, as they would. */
export class Terminal {
  columns: number;
  rows: number;
  #lines: string[][];
  #row = 0;
  #column = 0;
  #main: string[][] | undefined;
  #saved: [row: number, column: number] = [0, 0];
  /** Lines that went out at the top. */
  scrolled = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.#lines = Array.from({ length: rows }, () => []);
  }

  /** Is the alternate screen shown? */
  get alternate(): boolean {
    return this.#main !== undefined;
  }

  /** What is on the screen, without blanks at the ends. */
  get text(): string[] {
    return this.#lines.map((line) =>
      Array.from(line, (character) => character ?? " ")
        .join("")
        .trimEnd(),
    );
  }

  /** Another size; what does not fit is cut off. */
  resize(columns: number, rows: number): void {
    this.columns = columns;
    this.rows = rows;
    this.#lines = Array.from({ length: rows }, (_, i) => (this.#lines[i] ?? []).slice(0, columns));
    this.#row = Math.min(this.#row, rows - 1);
    this.#column = Math.min(this.#column, columns);
  }

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is a terminal
    for (const part of text.match(/\u001b\[\??[\d;]*[A-Za-z]|\r|\n|[^\u001b\r\n]+/g) ?? []) {
      if (part.startsWith("\u001b[")) this.#control(part.slice(2));
      else if (part === "\r") this.#column = 0;
      else if (part === "\n")
        this.#lineFeed(); // the terminal's driver puts \r in front (ONLCR)
      else for (const character of part) this.#put(character);
    }
  }

  #control(sequence: string): void {
    switch (sequence) {
      case "H":
        this.#row = this.#column = 0;
        break;
      case "K":
        this.#lines[this.#row]?.splice(this.#column);
        break;
      case "J":
        this.#lines[this.#row]?.splice(this.#column);
        for (let row = this.#row + 1; row < this.rows; row++) this.#lines[row] = [];
        break;
      case "?1049h":
        this.#main = this.#lines;
        this.#saved = [this.#row, this.#column];
        this.#lines = Array.from({ length: this.rows }, () => []);
        break;
      case "?1049l":
        this.#lines = this.#main ?? this.#lines;
        this.#main = undefined;
        [this.#row, this.#column] = this.#saved;
        break;
      default:
        if (!/^(\?25[hl]|\d*m)$/.test(sequence)) throw new Error(`no such sequence: ${JSON.stringify(sequence)}`);
    }
  }

  #put(character: string): void {
    if (this.#column >= this.columns) {
      this.#column = 0;
      this.#lineFeed();
    }
    const line = this.#lines[this.#row];
    if (line) line[this.#column++] = character;
  }

  #lineFeed(): void {
    this.#column = 0;
    if (this.#row + 1 < this.rows) {
      this.#row++;
      return;
    }
    this.#lines.shift();
    this.#lines.push([]);
    if (this.alternate) this.scrolled++;
  }
}
