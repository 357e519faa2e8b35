# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy off
"""
@title Hostile Token
@custom:contract-name HostileToken
@license AGPL-3.0-only
@author The Truthmark authors
@notice An ERC-20 that misbehaves in one way at a time, switched by anyone with `set_mode`.
        Every kind is found on main networks or is the worst that could be.
@custom:security A test double: every safety property of a token is broken here on purpose.
@custom:kill Never deployed outside tests.
"""

from ethereum.ercs import IERC20

# In each mode `transfer` and `transferFrom`, or what is named, do this:
flag Mode:
    NO_RETURN  # tokens move, nothing is returned
    FALSE_AND_STAYS  # nothing moves, False is returned
    FALSE_BUT_MOVES  # tokens move, False is returned
    TRUE_BUT_STAYS  # nothing moves, True is returned
    FEE_FROM_RECEIVER  # the receiver gets a hundredth less, rounded up: no amount is too small
    FEE_FROM_SENDER  # the sender pays a hundredth more, rounded up
    SENDS_MORE  # the receiver gets one unit more than asked
    HOOK_BEFORE  # the hook runs before the tokens move
    HOOK_AFTER  # the hook runs after the tokens moved
    BLOCKS  # reverts if either side is blocked
    PAUSED  # reverts always
    RETURN_BOMB  # tokens move, 100,000 bytes are returned
    REVERT_BOMB  # reverts with 100,000 bytes
    GAS_EATER  # burns all the gas it gets
    NOT_A_BOOL  # tokens move, a word that is no bool is returned
    SHORT_RETURN  # tokens move, a single byte is returned
    LYING_BALANCE  # nothing moves, `balanceOf` pretends that it did
    HUGE_BALANCE  # `balanceOf` is the largest number
    SHRINKING  # `balanceOf` shows half after a transfer, as when a rebase falls in between
    PERMIT_REVERTS  # `permit` reverts
    PERMIT_IDLE  # `permit` succeeds and approves nothing
    LIMITED  # reverts if more than `MOST` is moved at once

BOMB: constant(uint256) = 100_000
# Moved at once under LIMITED; entries in tests are larger.
MOST: public(constant(uint256)) = 10
BOMB_WORDS: constant(uint256) = BOMB // 32
# More than any block has gas for.
FOREVER: constant(uint256) = 2**64

name: public(constant(String[13])) = "Hostile Token"
symbol: public(constant(String[4])) = "EVIL"

decimals: public(immutable(uint8))

mode: public(Mode)
totalSupply: public(uint256)
allowance: public(HashMap[address, HashMap[address, uint256]])
# account -> whether transfers from and to it revert under BLOCKS
is_blocked: public(HashMap[address, bool])
# whom the hook calls, with what, and how often it still does
hook_target: public(address)
hook_data: public(Bytes[4096])
hook_count: public(uint256)
# what the last call of the hook brought
hook_success: public(bool)
hook_response: public(Bytes[256])

_balances: HashMap[address, uint256]
# account -> units that exist only in `balanceOf`, under LYING_BALANCE
_pretended: HashMap[address, uint256]
# a door that leads to the same balances, for a token with two addresses
_proxy: address


@deploy
def __init__(decimals_: uint8):
    """
    @notice Start as a well-behaved token.
    @param decimals_ Its decimals.
    """
    decimals = decimals_


# ----------------------------------------------------------------- scripting


@external
def set_mode(mode: Mode):
    """
    @notice Choose how to misbehave from now on.
    @param mode One kind, several, or none (0).
    """
    self.mode = mode


@external
def set_blocked(account: address, is_blocked: bool):
    """
    @notice Put an account on the list of the mode BLOCKS, or take it off.
    @param account The account.
    @param is_blocked Whether it is on the list.
    """
    self.is_blocked[account] = is_blocked


@external
def set_hook(target: address, data: Bytes[4096], count: uint256):
    """
    @notice Choose what the hook calls.
    @param target The contract.
    @param data The call.
    @param count How many times; then the hook is silent.
    """
    self.hook_target = target
    self.hook_data = data
    self.hook_count = count
    self.hook_success = False
    self.hook_response = b""


@external
def set_proxy(door: address):
    """
    @notice Let another contract call the functions that begin with `door_`.
    @param door The other address of this token.
    """
    self._proxy = door


@external
def mint(account: address, amount: uint256):
    """
    @notice Create tokens.
    @param account Who gets them.
    @param amount How many.
    """
    self._balances[account] += amount
    self.totalSupply += amount


@external
def rebase(account: address, amount: uint256):
    """
    @notice Set a balance, as a rebase or a seizure does.
    @param account Whose.
    @param amount The new balance.
    """
    self.totalSupply = self.totalSupply - self._balances[account] + amount
    self._balances[account] = amount


# -------------------------------------------------------------------- token


@external
@view
def balanceOf(account: address) -> uint256:
    """
    @notice Read a balance, or a lie.
    @param account Whose.
    @return The balance.
    """
    if Mode.HUGE_BALANCE in self.mode:
        return max_value(uint256)
    return self._balances[account] + self._pretended[account]


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Let another account spend.
    @param spender Who.
    @param amount How much.
    @return True.
    """
    self.allowance[msg.sender][spender] = amount
    return True


@external
def permit(
    owner: address,
    spender: address,
    amount: uint256,
    deadline: uint256,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    """
    @notice Approve without looking at the signature, or misbehave.
    @param owner Whose tokens.
    @param spender Who may spend.
    @param amount How much.
    @param deadline Ignored.
    @param v Ignored.
    @param r Ignored.
    @param s Ignored.
    """
    if Mode.PERMIT_REVERTS in self.mode:
        raise "hostile: no permit"
    if Mode.PERMIT_IDLE in self.mode:
        return
    self.allowance[owner][spender] = amount


@external
@raw_return
def transfer(to: address, amount: uint256) -> Bytes[BOMB]:
    """
    @notice Move tokens, more or less.
    @param to Who gets them.
    @param amount How many.
    @return What the mode says; one word that is True when there is none.
    """
    self._move(msg.sender, to, amount)
    return self._answer()


@external
@raw_return
def transferFrom(owner: address, to: address, amount: uint256) -> Bytes[BOMB]:
    """
    @notice Move tokens by allowance, more or less.
    @param owner Whose.
    @param to Who gets them.
    @param amount How many.
    @return What the mode says; one word that is True when there is none.
    """
    self.allowance[owner][msg.sender] -= amount
    self._move(owner, to, amount)
    return self._answer()


# ----------------------------------------------------------------------- proxy


@external
def door_transfer(sender: address, to: address, amount: uint256):
    """
    @notice Move the same balances for the token's other address.
    @dev Only that address, which has checked the sender.
    @param sender Whose.
    @param to Who gets them.
    @param amount How many.
    """
    assert msg.sender == self._proxy, "hostile: not the proxy"
    self._move(sender, to, amount)


# ---------------------------------------------------------------- internals


@internal
def _move(sender: address, to: address, amount: uint256):
    if Mode.PAUSED in self.mode:
        raise "hostile: paused"
    if Mode.BLOCKS in self.mode and (self.is_blocked[sender] or self.is_blocked[to]):
        raise "hostile: blocked"
    if Mode.LIMITED in self.mode and amount > MOST:
        raise "hostile: too much at once"
    if Mode.REVERT_BOMB in self.mode:
        bomb: Bytes[BOMB] = self._bomb()
        raw_revert(bomb)
    if Mode.GAS_EATER in self.mode:
        for i: uint256 in range(FOREVER):
            self.totalSupply = i
    if Mode.HOOK_BEFORE in self.mode:
        self._call_hook()

    if Mode.LYING_BALANCE in self.mode:
        self._pretended[to] += amount
    elif not (Mode.FALSE_AND_STAYS in self.mode or Mode.TRUE_BUT_STAYS in self.mode):
        taken: uint256 = amount
        given: uint256 = amount
        if Mode.FEE_FROM_RECEIVER in self.mode:
            given -= (amount + 99) // 100
        if Mode.FEE_FROM_SENDER in self.mode:
            taken += (amount + 99) // 100
        if Mode.SENDS_MORE in self.mode:
            given += 1
        self._balances[sender] -= taken
        self._balances[to] += given
        if Mode.SHRINKING in self.mode:
            self._balances[to] //= 2
        log IERC20.Transfer(sender=sender, receiver=to, value=given)

    if Mode.HOOK_AFTER in self.mode:
        self._call_hook()


@internal
def _call_hook():
    if self.hook_count == 0:
        return
    self.hook_count -= 1
    self.hook_success, self.hook_response = raw_call(
        self.hook_target,
        self.hook_data,
        max_outsize=256,
        revert_on_failure=False,
    )


@internal
@view
def _answer() -> Bytes[BOMB]:
    if Mode.NO_RETURN in self.mode:
        return b""
    if Mode.FALSE_AND_STAYS in self.mode or Mode.FALSE_BUT_MOVES in self.mode:
        return abi_encode(False)
    if Mode.RETURN_BOMB in self.mode:
        return self._bomb()
    if Mode.NOT_A_BOOL in self.mode:
        return abi_encode(convert(2, uint256))
    if Mode.SHORT_RETURN in self.mode:
        return b"\x01"
    return abi_encode(True)


@internal
@pure
def _bomb() -> Bytes[BOMB]:
    # Starts with a word that is True, so that only its size is wrong.
    words: uint256[BOMB_WORDS] = empty(uint256[BOMB_WORDS])
    words[0] = 1
    return abi_encode(words)
