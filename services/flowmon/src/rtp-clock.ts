/**
 * Clock rates in Hz of the static RTP payload types (RFC 3551 section 6). Types from 96 on are agreed on between the two
 * ends, so their clock is not known.
 */
export const RTP_CLOCK_RATES: Readonly<Record<number, number>> = {
  0: 8000 /* PCMU */,
  3: 8000 /* GSM */,
  4: 8000 /* G723 */,
  5: 8000 /* DVI4 */,
  6: 16_000 /* DVI4 */,
  7: 8000 /* LPC */,
  8: 8000 /* PCMA */,
  9: 8000 /* G722: 8000 by mistake, and kept */,
  10: 44_100 /* L16, two channels */,
  11: 44_100 /* L16 */,
  12: 8000 /* QCELP */,
  13: 8000 /* CN */,
  14: 90_000 /* MPA */,
  15: 8000 /* G728 */,
  16: 11_025 /* DVI4 */,
  17: 22_050 /* DVI4 */,
  18: 8000 /* G729 */,
  25: 90_000 /* CelB */,
  26: 90_000 /* JPEG */,
  28: 90_000 /* nv */,
  31: 90_000 /* H261 */,
  32: 90_000 /* MPV */,
  33: 90_000 /* MP2T */,
  34: 90_000 /* H263 */,
};
