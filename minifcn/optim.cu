// The step of gradient descent: each thread moves its own weights.

// v = momentum v + lr (share g + decay w), w = w - v: one pass, in which each number is
// read once and written once. g stays as it is.
template <typename T>
__global__ void sgd(const T* g, T* v, T* w, Index n, T lr, T momentum, T decay,
                    T share) {
    FOR_EACH(i, n) {
        T weight = w[i], change = g[i] * share + decay * weight;
        T step = momentum * v[i] + lr * change;  // lr inside the velocity, as in Caffe
        v[i] = step;
        w[i] = weight - step;
    }
}
