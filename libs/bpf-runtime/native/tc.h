// SPDX-License-Identifier: Apache-2.0
// tc.h — clsact, for kernels without TCX.
#pragma once

namespace waymark {

struct Link;

// Removes the filter that `link` stands for, if it is still that one, and the qdisc if it was made for it and is empty.
void RemoveOwnFilter(const Link &link);

}  // namespace waymark
