// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace waymark {

// Sends libbpf's messages to the call that caused them instead of standard error. Once for the process.
void CaptureLibbpfLog();

}  // namespace waymark
