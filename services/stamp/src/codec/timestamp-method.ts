/** How a time stamp was taken (RFC 8972 section 5.5). `swLocal`: by the host's own software, as eBPF and the kernel's stack do. */
export const TIMESTAMP_METHOD = { hwAssist: 1, swLocal: 2, controlPlane: 3 } as const;

/** What keeps a clock synchronised (RFC 8972 section 5.4). */
export const SYNC_SOURCE = { ntp: 1, ptp: 2, ssuBits: 3, satellite: 4, freeRunning: 5 } as const;

/** Who uses which access network: IDs and Return Codes of an Access Report TLV (RFC 8972 sections 4.6 and 5.6). */
export const ACCESS_ID = { threeGpp: 1, nonThreeGpp: 2 } as const;
export const ACCESS_RETURN_CODE = { available: 1, unavailable: 2 } as const;
