// What every .cu file here begins with; it is put in front of each before compiling.

// 64 bits: conv1_2's columns for one image of 500 x 500 are 280,629,504 numbers, and
// those of a batch of eight no longer fit into 31 bits.
typedef long long Index;

// Walk over 0 .. n - 1, all threads of the grid together: thread t takes t, t + T,
// t + 2T and so on, T being their number. Neighbouring threads thus take neighbouring
// items, which the memory serves at once, and any grid covers any n.
#define FOR_EACH(i, n)                                                       \
    for (Index i = blockIdx.x * (Index)blockDim.x + threadIdx.x; i < (n);    \
         i += (Index)gridDim.x * blockDim.x)

// Of windows that begin S pixels apart and have K taps, D apart: the first with a tap
// at or after pixel `at` of the frame, or the first of all. Window r reaches from r S
// to r S + (K - 1) D.
__device__ Index first_window(Index at, Index K, Index S, Index D) {
    Index beyond = at - (K - 1) * D;
    return beyond > 0 ? (beyond + S - 1) / S : 0;  // rounded up
}

// A whole number of 53 bits that looks random, and is always the same for the same
// counter: so every thread has its own without asking the others. Source: Steele et al.
// 2014, splitmix64.
__device__ unsigned long long drawn(unsigned long long counter) {
    unsigned long long z = counter * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return (z ^ (z >> 31)) >> 11;
}
