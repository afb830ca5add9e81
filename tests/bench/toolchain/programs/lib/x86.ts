export declare function syscall1(n: u32, a: u32): i32;
