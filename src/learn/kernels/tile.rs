//! Where a matrix kernel writes: a window of a row-major matrix that threads share by disjoint windows.
//!
//! Threads divide a product by columns, so their windows lie in the same rows and no slice can express them. The
//! pointer arithmetic stays in here; `gemm` is the only one who makes windows, kernels only write through them.
#![expect(unsafe_code, reason = "threads write disjoint columns of the same rows")]

use std::marker::PhantomData;

/// A row-major matrix that several threads write to, each in windows of its own.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'a> {
    start: *mut f32,
    len: usize,
    stride: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: the matrix is borrowed mutably for 'a, and `window` obliges its callers to keep windows apart.
unsafe impl Send for Shared<'_> {}
// SAFETY: see `Send`.
unsafe impl Sync for Shared<'_> {}

/// A window of at most one register tile.
#[derive(Debug)]
pub struct Tile<'a> {
    start: *mut f32,
    stride: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// Add to what is there, or replace it.
    pub(crate) accumulate: bool,
    borrow: PhantomData<&'a mut [f32]>,
}

impl<'a> Shared<'a> {
    pub(crate) fn new(values: &'a mut [f32], stride: usize) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len(), stride, borrow: PhantomData }
    }

    /// Rows `row..row + rows`, columns `col..col + cols`.
    ///
    /// # Safety
    /// No two windows that are alive at the same time may overlap.
    pub(crate) unsafe fn window(
        &self,
        at: (usize, usize),
        size: (usize, usize),
        accumulate: bool,
    ) -> Tile<'a> {
        let ((row, col), (rows, cols)) = (at, size);
        assert!(rows > 0 && cols > 0 && col + cols <= self.stride.max(cols), "an empty or wrapping window");
        assert!((row + rows - 1) * self.stride + col + cols <= self.len, "a window outside its matrix");
        // SAFETY: the assertion above keeps the offset inside the matrix.
        let start = unsafe { self.start.add(row * self.stride + col) };
        Tile { start, stride: self.stride, rows, cols, accumulate, borrow: PhantomData }
    }

    /// `cols` values of row `row` from `col` on.
    ///
    /// # Safety
    /// As of [`Shared::window`].
    pub(crate) unsafe fn row(&self, row: usize, col: usize, cols: usize) -> &'a mut [f32] {
        assert!(row * self.stride + col + cols <= self.len, "a row outside its matrix");
        // SAFETY: in bounds by the assertion, exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.stride + col), cols) }
    }
}

impl Tile<'_> {
    /// Where row `row` of the window begins; `cols` values may be read and written there.
    pub(crate) fn row(&mut self, row: usize) -> *mut f32 {
        assert!(row < self.rows, "a row outside its tile");
        // SAFETY: `window` checked that the whole window lies inside the matrix.
        unsafe { self.start.add(row * self.stride) }
    }
}
