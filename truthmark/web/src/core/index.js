// SPDX-License-Identifier: Apache-2.0
// What the page may use of the core; everything else is the core's own.

export { annotation, MAX_LETTERS } from "./annotations.js";
export { openBounty } from "./bounty.js";
export { checksummed, readAddress } from "./curve.js";
export { newDevice, deviceOf, recoveryFile, readRecoveryFile } from "./device.js";
export { Refusal, Unavailable } from "./errors.js";
export { isSwapped, unswapped } from "./pairs.js";
export { isAdmitted, isGated, join, joinState } from "./joining.js";
export { myRun, itemKeys } from "./run.js";
export { sealAnswers, sendCommit, commitState, findSigned } from "./committing.js";
export { release, acknowledged, deposit } from "./releasing.js";
export { labelingSteps } from "./flow.js";
export { standingOf } from "./scored.js";
export { feeOf, gasOf, proofFile, proofOf, withdrawalOf } from "./proving.js";
