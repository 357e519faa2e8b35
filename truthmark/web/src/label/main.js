// SPDX-License-Identifier: Apache-2.0
// The page of a bounty.
import * as core from "../core/index.js";

export { core };
