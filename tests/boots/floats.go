// Floating point (SSE2 for GOARCH=386), goroutines on threads, maps, garbage collection and formatting in Go. Runs
// natively and on our kernel; as process 1 it switches the machine off at the end.
package main

import (
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

type body struct{ x, y, z, vx, vy, vz, mass float64 }

func energy(n int) float64 {
	bodies := []body{{mass: 39.47}, {x: 4.84, y: -1.16, z: -0.1, vx: 0.6, vy: 2.81, vz: -0.02, mass: 0.037}, {x: 8.34, y: 4.12, z: -0.4, vx: -1.01, vy: 1.82, mass: 0.011}}
	for step := 0; step < n; step++ {
		for i := range bodies {
			for j := i + 1; j < len(bodies); j++ {
				a, b := &bodies[i], &bodies[j]
				dx, dy, dz := a.x-b.x, a.y-b.y, a.z-b.z
				d := dx*dx + dy*dy + dz*dz
				m := 0.01 / (d * math.Sqrt(d))
				a.vx, a.vy, a.vz = a.vx-dx*b.mass*m, a.vy-dy*b.mass*m, a.vz-dz*b.mass*m
				b.vx, b.vy, b.vz = b.vx+dx*a.mass*m, b.vy+dy*a.mass*m, b.vz+dz*a.mass*m
			}
		}
		for i := range bodies {
			b := &bodies[i]
			b.x, b.y, b.z = b.x+0.01*b.vx, b.y+0.01*b.vy, b.z+0.01*b.vz
		}
	}
	return bodies[1].x
}

func main() {
	fmt.Println("begin of the list")
	fmt.Printf("%s %s\n", runtime.GOOS, runtime.GOARCH)
	fmt.Println(energy(2000), math.Sin(1e6), math.Exp(-3.5), math.Pow(1.1, 100), math.Log(7))
	var group sync.WaitGroup
	results := make(chan string, 8)
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			sum := 0.0
			for k := 1; k < 10000; k++ {
				sum += 1 / float64(k*k+i)
				if k%2000 == 0 {
					runtime.Gosched()
				}
			}
			results <- fmt.Sprintf("%d %.15g", i, sum)
		}(i)
	}
	group.Wait()
	close(results)
	var lines []string
	for line := range results {
		lines = append(lines, line)
	}
	sort.Strings(lines)
	fmt.Println(strings.Join(lines, "; "))
	words := map[string]float32{}
	hash := fnv.New64a()
	for i := 0; i < 6000; i++ {
		key := strconv.FormatFloat(float64(i)*1.37e-5, 'g', -1, 64)
		words[key] += float32(i) / 3
		if back, err := strconv.ParseFloat(key, 64); err != nil || back != float64(i)*1.37e-5 {
			fmt.Println("round trip", key)
		}
		hash.Write([]byte(key))
	}
	runtime.GC()
	fmt.Println(len(words), hash.Sum64())
	defer func() {
		fmt.Println("recovered:", recover())
		fmt.Println("end of the list")
		if os.Getpid() == 1 {
			// tcdrain
			syscall.Syscall(syscall.SYS_IOCTL, 1, 0x5409, 1)
			syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
		}
	}()
	var none []float64
	fmt.Println(none[len(words)])
}
