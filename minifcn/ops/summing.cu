// Sums: each block adds up its share of the numbers.

const int THREADS = 256;  // of a block; a power of two

// sums[b] = all that the threads of block b walk over, in float64.
//
// Each thread adds up its own numbers and lays the sum where the others of its block
// see it. Then half of them take one more each, then a quarter, down to thread 0. In
// every turn a thread reads what another wrote in the turn before: so all wait there.
template <typename T>
__global__ void block_sums(const T* x, double* sums, Index n) {
    __shared__ double shared[THREADS];
    double sum = 0;
    FOR_EACH(i, n) sum += x[i];
    unsigned t = threadIdx.x;
    shared[t] = sum;
    __syncthreads();
    for (unsigned half = THREADS / 2; half > 0; half /= 2) {
        if (t < half) shared[t] += shared[t + half];
        __syncthreads();
    }
    if (t == 0) sums[blockIdx.x] = shared[0];
}
