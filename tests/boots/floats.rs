//! Floating point (SSE2 for i686), threads, maps, formatting and unwinding in Rust. Runs natively and on our kernel; as
//! process 1 it switches the machine off at the end.
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;

extern "C" {
    fn tcdrain(descriptor: i32) -> i32;
    fn reboot(command: i32) -> i32;
}

fn mandelbrot(width: usize, height: usize) -> u64 {
    let mut sum = 0u64;
    for y in 0..height {
        for x in 0..width {
            let (cr, ci) = (x as f64 * 3.0 / width as f64 - 2.0, y as f64 * 2.0 / height as f64 - 1.0);
            let (mut zr, mut zi, mut n) = (0.0, 0.0, 0u64);
            while n < 60 && zr * zr + zi * zi < 4.0 {
                let next = zr * zr - zi * zi + cr;
                zi = 2.0 * zr * zi + ci;
                zr = next;
                n += 1;
            }
            sum = sum.wrapping_mul(31).wrapping_add(n);
        }
    }
    sum
}

fn multiply(size: usize) -> f32 {
    let a: Vec<f32> = (0..size * size).map(|i| (i % 17) as f32 * 0.25).collect();
    let b: Vec<f32> = (0..size * size).map(|i| (i % 13) as f32 - 6.5).collect();
    let mut c = vec![0f32; size * size];
    for i in 0..size {
        for k in 0..size {
            for j in 0..size {
                c[i * size + j] += a[i * size + k] * b[k * size + j];
            }
        }
    }
    c.iter().enumerate().map(|(i, x)| x * (i as f32).sqrt()).sum()
}

fn main() {
    println!("begin of the list");
    println!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    println!("{} {:?}", mandelbrot(120, 60), multiply(48));
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..4u32)
        .map(|i| {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut sum = 0.0;
                for k in 1..20000u32 {
                    sum += 1.0 / (k as f64 * k as f64 + i as f64);
                    if k % 5000 == 0 {
                        thread::yield_now();
                    }
                }
                sender.send((i, sum)).unwrap();
            })
        })
        .collect();
    drop(sender);
    let results: BTreeMap<u32, f64> = receiver.iter().collect();
    for one in threads {
        one.join().unwrap();
    }
    println!("{:?}", results);
    let mut wrong = 0;
    let mut length = 0;
    for i in 0..5000 {
        let number = (i as f64 * 1.0625).sqrt() * i as f64 * 1e-19;
        let text = format!("{:e}", number);
        length += text.len();
        wrong += (text.parse::<f64>() != Ok(number)) as usize;
    }
    println!("{} {} {:?} {}", wrong, length, f64::MIN_POSITIVE / 3.0, (2.5e9f64 as i32) ^ (f32::NAN as i32));
    // Its message would go to standard error.
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(|| {
        let empty: Vec<f64> = Vec::new();
        empty[wrong]
    });
    println!("unwound {}", caught.is_err());
    println!("end of the list");
    if std::process::id() == 1 {
        unsafe {
            tcdrain(1);
            reboot(0x4321fedc);
        }
    }
}
