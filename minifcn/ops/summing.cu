// Sums: each block adds up its share of the numbers.

const int THREADS = 256;  // of a block; a power of two

// sums[o, s] = the sum of x[n, o, p] over all images n and share s of the pixels p, of S
// shares, in float64.
//
// Each thread adds up its own numbers and lays the sum where the others of its block
// see it. Then half of them take one more each, then a quarter, down to thread 0. In
// every turn a thread reads what another wrote in the turn before: so all wait there.
template <typename T>
__global__ void channel_sums(const T* x, double* sums, Index N, Index O, Index P,
                             Index S) {
    __shared__ double shared[THREADS];
    unsigned t = threadIdx.x;
    for (Index b = blockIdx.x; b < O * S; b += gridDim.x) {  // block b takes share b
        Index o = b / S, s = b % S;
        double sum = 0;
        for (Index n = 0; n < N; n++)
            for (Index p = s * THREADS + t; p < P; p += S * THREADS)
                sum += x[(n * O + o) * P + p];
        shared[t] = sum;
        __syncthreads();
        for (unsigned half = THREADS / 2; half > 0; half /= 2) {
            if (t < half) shared[t] += shared[t + half];
            __syncthreads();
        }
        if (t == 0) sums[b] = shared[0];  // which no other thread writes
    }
}
