# What a shell does, in parts; each begins with a mark. What is printed besides is equal on all machines.
mark() { echo "part $1"; }
mark awk
awk 'BEGIN { s = 1; for (i = 0; i < 25000; i++) { s = (s * 16807) % 2147483647; print s, i, "line" } }' > /tmp/numbers
md5sum < /tmp/numbers
mark sort
sort -n /tmp/numbers | md5sum
mark gzip
gzip -c /tmp/numbers > /tmp/numbers.gz
gunzip -c /tmp/numbers.gz | md5sum
mark fork
i=0
while [ $i -lt 150 ]; do /bin/true; i=$((i + 1)); done
mark pipeline
for i in 1 2 3 4 5; do
  for k in 1 2 3 4 5 6 7 8; do echo "$i $k" | sed 's/1/one/' | tr a-z A-Z; done
done | md5sum
cat /tmp/numbers | grep 7 | cut -d ' ' -f 1 | tr 0-9 a-j | sort -u | wc -l
mark find
for i in 1 2; do find /bin /dev /sys /proc/1 > /tmp/found 2> /dev/null; done
mark sha256sum
for i in 1 2 3 4 5 6; do sha256sum /bin/busybox; done
mark builtins
i=0 sum=0
while [ $i -lt 15000 ]; do
  sum=$(((sum * 31 + i) % 65521))
  case $i in *7) sum=$((sum + 1)) ;; esac
  i=$((i + 1))
done
echo $sum
mark end
