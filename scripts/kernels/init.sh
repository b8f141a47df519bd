#!/bin/busybox sh
# The guest's first process: lays a tmpfs over the host's root, which it only reads, runs /out/command.sh in there, and
# leaves its exit code in /out/code.
set -e
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in virtio_pci virtiofs overlay; do modprobe "$module"; done
mount -t virtiofs -o ro host /host
mount -t virtiofs out /out
mount -t tmpfs -o size=75% overlay /overlay
mkdir /overlay/upper /overlay/work
mount -t overlay -o lowerdir=/host,upperdir=/overlay/upper,workdir=/overlay/work root /root
cd /root
release=$(uname -r)
mkdir -p "lib/modules/$release" run tmp proc sys dev out
# the kernel calls modprobe out here, in the first root
mount -o bind "/host$(cat /out/modules)" "/lib/modules/$release"
mount -o bind "/lib/modules/$release" "lib/modules/$release"
echo /bin/modprobe > /proc/sys/kernel/modprobe
mount -t tmpfs run run
mount -o bind /proc proc
mount -o bind /sys sys
mount -t bpf bpf sys/fs/bpf
mount -o bind /dev dev
mkdir -p dev/shm dev/pts dev/net && mount -t tmpfs shm dev/shm && mount -t devpts pts dev/pts
ln -sf /proc/self/fd dev/fd
mount -o bind /out out
modprobe tun
modprobe veth
ifconfig lo up
echo 0 > /proc/sys/kernel/printk
date -s "@$(cat /out/time)" > /dev/null
set +e
stty -opost < /dev/console
{
	chroot . /bin/sh /out/command.sh < /dev/null
	echo $? > /out/code
} 2>&1 | cat
sync
poweroff -f
