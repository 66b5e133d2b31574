// ReLU and dropout: each thread does its own elements.

// y = max(x, 0); not a number stays so.
template <typename T>
__global__ void relu(const T* x, T* y, Index n) {
    FOR_EACH(i, n) y[i] = x[i] <= 0 ? T(0) : x[i];
}

// gx = scale gy where the output was positive.
template <typename T>
__global__ void relu_backward(const T* y, const T* gy, T* gx, Index n, double scale) {
    FOR_EACH(i, n) gx[i] = y[i] > 0 ? gy[i] * T(scale) : T(0);
}

// y = x / (1 - p), or 0 with probability p. Backward is the same with the same key.
template <typename T>
__global__ void dropout(const T* x, T* y, Index n, double p, unsigned long long key) {
    FOR_EACH(i, n) y[i] = drawn(key + i) < p ? T(0) : x[i] * T(1 / (1 - p));
}
