import { constants } from "node:os";
import { BpfError, VerifierError } from "./errors.ts";
import { loadError, summarise } from "./load-error.ts";

const { EACCES, EINVAL, EPERM } = constants.errno;

function messages(program: string, log: string): string {
  return [
    `libbpf: prog '${program}': BPF program load failed: Permission denied`,
    `libbpf: prog '${program}': -- BEGIN PROG LOAD LOG --`,
    log,
    "-- END PROG LOAD LOG --",
    `libbpf: prog '${program}': failed to load: -13`,
    "libbpf: failed to load object 'x.bpf.o'",
  ].join("\n");
}

const LOG = [
  "0: R1=ctx() R10=fp0",
  "; return *(char *)(long)skb->data;",
  "0: (61) r1 = *(u32 *)(r1 +76)         ; R1_w=pkt(r=0)",
  "1: (71) r0 = *(u8 *)(r1 +0)",
  "invalid access to packet, off=0 size=1, R1(id=0,off=0,r=0)",
  "R1 offset is outside of the packet",
  "processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0",
].join("\n");

describe("loadError", () => {
  test("puts the verifier's last words into the message and everything into the log", () => {
    const error = loadError(-EACCES, "x", messages("count", LOG));
    expect(error).toBeInstanceOf(VerifierError);
    expect(error.code).toBe("BPF_VERIFIER");
    expect(error.message).toBe(
      "load count: invalid access to packet, off=0 size=1, R1(id=0,off=0,r=0); R1 offset is outside of the packet (EACCES)",
    );
    expect((error as VerifierError).program).toBe("count");
    expect((error as VerifierError).log).toBe(LOG);
  });

  test.each([
    ["unknown func bpf_loop#181", "bpf_loop", "5.17"],
    ["invalid func unknown#208", "bpf_ktime_get_tai_ns", "6.1"],
    ["program of this type cannot use helper bpf_timer_init#169", "", ""],
  ])("tells a missing helper from a wrong program: %s", (line, what, since) => {
    const error = loadError(-EINVAL, "x", messages("count", `3: (85) call\n${line}`));
    if (what === "") {
      expect(error.code).toBe("BPF_VERIFIER");
      return;
    }
    expect(error.code).toBe("BPF_NOT_SUPPORTED");
    expect(error.message).toBe(`load count: the kernel lacks ${what}; Linux ${since} or newer has it`);
  });

  test("a refusal without a log is a lack of privilege", () => {
    const error = loadError(-EPERM, "x", "libbpf: prog 'count': BPF program load failed: Operation not permitted");
    expect(error.code).toBe("BPF_NOT_PERMITTED");
    expect(error.message).toMatch(/root or CAP_BPF/);
  });

  test("anything else carries libbpf's last message", () => {
    const error = loadError(-EINVAL, "x", "libbpf: failed to find valid kernel BTF\n");
    expect(error).toBeInstanceOf(BpfError);
    expect(error.message).toBe("load x: failed (EINVAL): failed to find valid kernel BTF");
    expect(error.errno).toBe(EINVAL);
  });

  test("an empty log gives no reason", () => {
    expect(summarise("processed 0 insns (limit 1000000)\n")).toBe("no reason given");
  });
});
