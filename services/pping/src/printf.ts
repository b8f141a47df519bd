/** As C's `%.<digits>g`: that many significant digits, no zeros at the end, an exponent for the very large and small. */
export function formatG(value: number, digits: number): string {
  if (value === 0) return "0";
  const [mantissa = "", power = "0"] = value.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < digits) return withoutZeros(value.toFixed(digits - 1 - exponent));
  const size = String(Math.abs(exponent)).padStart(2, "0");
  return `${withoutZeros(mantissa)}e${exponent < 0 ? "-" : "+"}${size}`;
}

/** Nanoseconds as a decimal number of a unit of 10^`digits` ns, all of its digits: 5261430 of 6 digits is "5.261430". */
export function formatFixed(ns: number, digits: number): string {
  const unit = 10 ** digits;
  return `${Math.floor(ns / unit)}.${String(ns % unit).padStart(digits, "0")}`;
}

function withoutZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
