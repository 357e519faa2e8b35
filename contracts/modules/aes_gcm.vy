# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title AES-256-GCM Tags
@custom:contract-name aes_gcm
@license AGPL-3.0-only
@author The Truthmark authors
@notice The tag that AES-256-GCM gives to a ciphertext under a key, a nonce of twelve zero bytes and
        no additional data (FIPS 197, NIST SP 800-38D).
"""

# ---------------------------------------------------------------- constants

MAX_SIZE: constant(uint256) = 65_536
BLOCK: constant(uint256) = 16
MAX_BLOCKS: constant(uint256) = MAX_SIZE // BLOCK
ROUNDS: constant(uint256) = 14

MASK_8: constant(uint256) = 2**8 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_128: constant(uint256) = 2**128 - 1

# A 1 in each byte, in each 32 bits, in each 128 bits.
BYTES: constant(uint256) = max_value(uint256) // MASK_8
COLUMNS: constant(uint256) = max_value(uint256) // MASK_32
BLOCKS: constant(uint256) = max_value(uint256) // MASK_128

# Every fifth bit, from bit 0 to 4 on.
LANE_0: constant(uint256) = (2**255 - 1) // 31
LANE_1: constant(uint256) = 2 * LANE_0
LANE_2: constant(uint256) = 4 * LANE_0
LANE_3: constant(uint256) = 8 * LANE_0
LANE_4: constant(uint256) = 16 * LANE_0

# What a byte becomes in AES.
BOX: constant(uint256[256]) = [
    99,
    124,
    119,
    123,
    242,
    107,
    111,
    197,
    48,
    1,
    103,
    43,
    254,
    215,
    171,
    118,
    202,
    130,
    201,
    125,
    250,
    89,
    71,
    240,
    173,
    212,
    162,
    175,
    156,
    164,
    114,
    192,
    183,
    253,
    147,
    38,
    54,
    63,
    247,
    204,
    52,
    165,
    229,
    241,
    113,
    216,
    49,
    21,
    4,
    199,
    35,
    195,
    24,
    150,
    5,
    154,
    7,
    18,
    128,
    226,
    235,
    39,
    178,
    117,
    9,
    131,
    44,
    26,
    27,
    110,
    90,
    160,
    82,
    59,
    214,
    179,
    41,
    227,
    47,
    132,
    83,
    209,
    0,
    237,
    32,
    252,
    177,
    91,
    106,
    203,
    190,
    57,
    74,
    76,
    88,
    207,
    208,
    239,
    170,
    251,
    67,
    77,
    51,
    133,
    69,
    249,
    2,
    127,
    80,
    60,
    159,
    168,
    81,
    163,
    64,
    143,
    146,
    157,
    56,
    245,
    188,
    182,
    218,
    33,
    16,
    255,
    243,
    210,
    205,
    12,
    19,
    236,
    95,
    151,
    68,
    23,
    196,
    167,
    126,
    61,
    100,
    93,
    25,
    115,
    96,
    129,
    79,
    220,
    34,
    42,
    144,
    136,
    70,
    238,
    184,
    20,
    222,
    94,
    11,
    219,
    224,
    50,
    58,
    10,
    73,
    6,
    36,
    92,
    194,
    211,
    172,
    98,
    145,
    149,
    228,
    121,
    231,
    200,
    55,
    109,
    141,
    213,
    78,
    169,
    108,
    86,
    244,
    234,
    101,
    122,
    174,
    8,
    186,
    120,
    37,
    46,
    28,
    166,
    180,
    198,
    232,
    221,
    116,
    31,
    75,
    189,
    139,
    138,
    112,
    62,
    181,
    102,
    72,
    3,
    246,
    14,
    97,
    53,
    87,
    185,
    134,
    193,
    29,
    158,
    225,
    248,
    152,
    17,
    105,
    217,
    142,
    148,
    155,
    30,
    135,
    233,
    206,
    85,
    40,
    223,
    140,
    161,
    137,
    13,
    191,
    230,
    66,
    104,
    65,
    153,
    45,
    15,
    176,
    84,
    187,
    22,
]

# -------------------------------------------------------------------- parts

# The tag of a ciphertext is its hash under H, the cipher of 0, and the cipher of 1, the first
# counter of a nonce of zeros. One function alone takes bytes: each that hands them on would copy
# the largest, and memory grows by the square.


@internal
@pure
def _encrypt(key: uint256, first: uint256, second: uint256) -> (uint256, uint256):
    # AES-256 of two blocks, side by side in a word: but for the look-ups everything is done to both
    # at once. Round keys are made as they are needed, from the two before.
    box: uint256[256] = BOX
    before: uint256 = key >> 128
    round_key: uint256 = key & MASK_128
    constant_: uint256 = 1
    state: uint256 = ((first << 128) | second) ^ unsafe_mul(before, BLOCKS)
    for round: uint256 in range(1, ROUNDS + 1):
        # Bytes substituted, and rows shifted: byte n of a block comes from byte 5n mod 16.
        next: uint256 = 0
        place: uint256 = 120
        for n: uint256 in range(16):
            next = (
                (next << 8)
                | (box[(state >> unsafe_add(place, 128)) & MASK_8] << 128)
                | box[(state >> place) & MASK_8]
            )
            place = unsafe_add(place, 88) & 127
        if round != ROUNDS:
            # Columns mixed: twice each byte and the next, and the other three once.
            turned: uint256 = ((next << 8) & ~(MASK_8 * COLUMNS)) | (
                (next >> 24) & (MASK_8 * COLUMNS)
            )
            sums: uint256 = next ^ turned
            doubled: uint256 = ((sums & (127 * BYTES)) << 1) ^ unsafe_mul((sums >> 7) & BYTES, 27)
            next = (
                doubled
                ^ turned
                ^ ((sums << 16) & ((MASK_32 - 65_535) * COLUMNS))
                ^ ((sums >> 16) & (65_535 * COLUMNS))
            )
        state = next ^ unsafe_mul(round_key, BLOCKS)

        # Each word of the next round key is the one eight before it and the last one, which is
        # changed before the first of four.
        last: uint256 = round_key & MASK_32
        if round & 1 != 0:
            last = (last << 8) | (last >> 24)
        last = (
            (box[(last >> 24) & MASK_8] << 24)
            | (box[(last >> 16) & MASK_8] << 16)
            | (box[(last >> 8) & MASK_8] << 8)
            | box[last & MASK_8]
        )
        if round & 1 != 0:
            last ^= constant_ << 24
            constant_ <<= 1
        following: uint256 = (
            before
            ^ (before >> 32)
            ^ (before >> 64)
            ^ (before >> 96)
            ^ (unsafe_mul(last, COLUMNS) & MASK_128)
        )
        before = round_key
        round_key = following
    return state >> 128, state & MASK_128


@internal
@pure
def _hash(hash_key: uint256, sealed: Bytes[MAX_SIZE]) -> (uint256, uint256):
    # GHASH of all blocks but the last, and of their length in bits; and the last, which is the tag
    # (0 where it is the only one). The highest bit of a block is the coefficient of x^0.
    # Polynomials are multiplied as numbers with holes: of bits five apart at most 26 meet in one
    # place, so that no sum reaches the next, and the lowest bit of each is what is wanted.
    h0: uint256 = hash_key & LANE_0
    h1: uint256 = hash_key & LANE_1
    h2: uint256 = hash_key & LANE_2
    h3: uint256 = hash_key & LANE_3
    h4: uint256 = hash_key & LANE_4
    count: uint256 = len(sealed) // BLOCK - 1
    state: uint256 = 0
    word: uint256 = 0
    for i: uint256 in range(count + 1, bound=MAX_BLOCKS):
        if i == count:
            state ^= unsafe_mul(count, 8 * BLOCK)
        else:
            # A block and the one behind it, at last the tag.
            word = convert(extract32(sealed, unsafe_mul(i, BLOCK)), uint256)
            state ^= word >> 128
        x0: uint256 = state & LANE_0
        x1: uint256 = state & LANE_1
        x2: uint256 = state & LANE_2
        x3: uint256 = state & LANE_3
        x4: uint256 = state & LANE_4
        # 255 bits; shifted by one, the coefficient of x^0 is in the highest.
        product: uint256 = (
            (
                (
                    unsafe_mul(x0, h0)
                    ^ unsafe_mul(x1, h4)
                    ^ unsafe_mul(x2, h3)
                    ^ unsafe_mul(x3, h2)
                    ^ unsafe_mul(x4, h1)
                )
                & LANE_0
            )
            | (
                (
                    unsafe_mul(x0, h1)
                    ^ unsafe_mul(x1, h0)
                    ^ unsafe_mul(x2, h4)
                    ^ unsafe_mul(x3, h3)
                    ^ unsafe_mul(x4, h2)
                )
                & LANE_1
            )
            | (
                (
                    unsafe_mul(x0, h2)
                    ^ unsafe_mul(x1, h1)
                    ^ unsafe_mul(x2, h0)
                    ^ unsafe_mul(x3, h4)
                    ^ unsafe_mul(x4, h3)
                )
                & LANE_2
            )
            | (
                (
                    unsafe_mul(x0, h3)
                    ^ unsafe_mul(x1, h2)
                    ^ unsafe_mul(x2, h1)
                    ^ unsafe_mul(x3, h0)
                    ^ unsafe_mul(x4, h4)
                )
                & LANE_3
            )
            | (
                (
                    unsafe_mul(x0, h4)
                    ^ unsafe_mul(x1, h3)
                    ^ unsafe_mul(x2, h2)
                    ^ unsafe_mul(x3, h1)
                    ^ unsafe_mul(x4, h0)
                )
                & LANE_4
            )
        ) << 1
        # x^128 is 1 + x + x^2 + x^7; what this carries past x^127 again is folded once more.
        over: uint256 = product << 128
        over ^= (over >> 1) ^ (over >> 2) ^ (over >> 7)
        rest: uint256 = over << 128
        state = (product ^ over ^ rest ^ (rest >> 1) ^ (rest >> 2) ^ (rest >> 7)) >> 128
    return state, word & MASK_128
