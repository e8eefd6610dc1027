// AVX2: how many bits of the input and of the weights differ, looked up for two pixels and 32 output channels at once.
#pragma once

#include "kernels.h"

#include <immintrin.h>

// Nameless, as in a kernel file: what is compiled with AVX2 must not be linked in where another file asks for it.
namespace bisr::avx2 {
namespace {

// A word of the packed row becomes 16 offsets into kDiffering, one a nibble: 16 * this pixel's nibble + 256 * the same
// nibble of the next pixel, 0 beyond the last. Order: the low nibbles of the word's eight bytes, then the high nibbles.
using Offset = std::uint16_t;
constexpr int kNibbles = 16;
constexpr std::size_t kWordBytes = kNibbles * sizeof(Offset); // in a packed row
constexpr std::size_t kUnitBytes = kNibbles * kChannelBlock;  // in the prepared weights

// row[this + 16 * next][weight] = bits that differ in this pixel's nibble + 16 * bits that differ in the next one's
struct DifferingBits {
    alignas(64) unsigned char row[256][16];
};

constexpr DifferingBits differing_bits() {
    DifferingBits table{};
    int ones[16] = {};
    for (int v = 1; v < 16; ++v) {
        ones[v] = ones[v / 2] + v % 2;
    }
    for (int pair = 0; pair < 256; ++pair) {
        for (int weight = 0; weight < 16; ++weight) {
            table.row[pair][weight] =
                static_cast<unsigned char>(ones[pair % 16 ^ weight] + 16 * ones[pair / 16 ^ weight]);
        }
    }
    return table;
}

constexpr DifferingBits kDiffering = differing_bits();

// Looked-up bytes of one pair of pixels and one channel block, summed up; `all` and `high` modulo 256. A byte is a + 16 b
// with the pair's counts a and b. `high` sums what is left of 16-bit lanes without their lowest nibble: in odd bytes b, in
// even ones b + 16 times the odd neighbour's a. That is enough to tell all four apart while each stays below 256.
struct Counts {
    __m256i all, high;
};

// kCount nibbles of kPairs pairs against kBlocks channel blocks. Three counts of at most 4 fit the half of a byte.
template <int kCount, int kPairs, int kBlocks>
[[gnu::always_inline]] inline void add_nibbles(const Offset* const (&inputs)[kPairs],
                                               const unsigned char* const (&weights)[kBlocks], int first,
                                               Counts (&counts)[kPairs][kBlocks]) {
    static_assert(kCount <= 3);
    __m256i found[kPairs][kBlocks];
#pragma GCC unroll 3
    for (int nibble = first; nibble < first + kCount; ++nibble) {
        __m256i lanes[kBlocks];
        for (int b = 0; b < kBlocks; ++b) {
            lanes[b] = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights[b] + nibble * kChannelBlock));
            // One load for all pairs: GCC would otherwise repeat it in every lookup.
            asm("" : "+x"(lanes[b]));
        }
        for (int p = 0; p < kPairs; ++p) {
            const unsigned char* row = kDiffering.row[0] + inputs[p][nibble];
            const __m256i table = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(row)));
            for (int b = 0; b < kBlocks; ++b) {
                const __m256i bytes = _mm256_shuffle_epi8(table, lanes[b]);
                found[p][b] = nibble == first ? bytes : _mm256_add_epi8(found[p][b], bytes);
                // Add now: GCC would otherwise regroup the sums of all nibbles and spill every lookup.
                asm("" : "+x"(found[p][b]));
            }
        }
    }
    for (int p = 0; p < kPairs; ++p) {
        for (int b = 0; b < kBlocks; ++b) {
            counts[p][b].all = _mm256_add_epi8(counts[p][b].all, found[p][b]);
            counts[p][b].high = _mm256_add_epi8(counts[p][b].high, _mm256_srli_epi16(found[p][b], 4));
            asm("" : "+x"(counts[p][b].all), "+x"(counts[p][b].high));
        }
    }
}

// One word of kPairs pairs of pixels against kBlocks channel blocks.
template <int kPairs, int kBlocks>
[[gnu::always_inline]] inline void add_word(const unsigned char* input, std::size_t pair_stride,
                                            const unsigned char* weight, std::size_t block_bytes,
                                            Counts (&counts)[kPairs][kBlocks]) {
    // The empty assembly keeps these in registers: GCC would otherwise reload offsets from the stack in every step.
    const Offset* inputs[kPairs];
    for (int p = 0; p < kPairs; ++p) {
        inputs[p] = reinterpret_cast<const Offset*>(input + p * pair_stride);
        asm("" : "+r"(inputs[p]));
    }
    const unsigned char* weights[kBlocks];
    for (int b = 0; b < kBlocks; ++b) {
        weights[b] = weight + b * block_bytes;
        asm("" : "+r"(weights[b]));
    }
#pragma GCC unroll 5
    for (int nibble = 0; nibble + 3 <= kNibbles; nibble += 3) {
        add_nibbles<3>(inputs, weights, nibble, counts);
    }
    add_nibbles<1>(inputs, weights, kNibbles - 1, counts);
}

// The counts as 16 bits: halves [pixel of the pair][channels 0-15, 16-31].
inline void widen(const Counts& counts, __m256i (&halves)[2][2]) {
    const __m256i byte = _mm256_set1_epi16(0xff);
    const auto rest = [&](__m256i sum, __m256i known) {
        return _mm256_and_si256(_mm256_sub_epi16(sum, _mm256_slli_epi16(known, 4)), byte);
    };
    const __m256i odd_b = _mm256_srli_epi16(counts.high, 8);
    const __m256i odd_a = rest(_mm256_srli_epi16(counts.all, 8), odd_b);
    const __m256i even_b = rest(counts.high, odd_a);
    const __m256i even_a = rest(counts.all, even_b);
    halves[0][0] = even_a;
    halves[0][1] = odd_a;
    halves[1][0] = even_b;
    halves[1][1] = odd_b;
}

} // namespace
} // namespace bisr::avx2
