# truechimer: which slot starts. One script for every board with U-Boot, so it
# takes addresses from the board: kernel_addr_r, ramdisk_addr_r, fdt_addr_r,
# pxefile_addr_r and scriptaddr, and from its caller devtype and devnum.
# No loop and no setexpr: a loop asks the console for Ctrl-C, setexpr is not
# in every U-Boot. What run executes has to be one line or one if.

# A record is the sector tc_at: eight bytes tc_record, then zeros.
setenv tc_read 'mw.b ${kernel_addr_r} 0 200; ${devtype} read ${kernel_addr_r} ${tc_at} 1'
setenv tc_make 'mw.q ${ramdisk_addr_r} 0 40; mw.q ${ramdisk_addr_r} ${tc_record} 1'
setenv tc_same 'run tc_make; cmp.b ${kernel_addr_r} ${ramdisk_addr_r} 200'
setenv tc_find 'if run tc_read; then
	setenv tc_record @A@
	if run tc_same; then setenv tc_found a; fi
	setenv tc_record @B@
	if run tc_same; then setenv tc_found b; fi
fi'

# A file of slot tc_go, no longer than it should be, and its checksum.
setenv tc_load 'load ${devtype} ${devnum}:1 ${tc_addr} /${tc_go}/${tc_file} ${tc_size} && crc32 ${tc_addr} ${filesize} ${scriptaddr} && itest.l *${scriptaddr} == ${tc_sum}'
setenv tc_kernel 'setenv tc_file vmlinuz; setenv tc_addr ${kernel_addr_r}; setenv tc_size ${kernel_size}; setenv tc_sum ${kernel_sum}; run tc_load'
setenv tc_initrd 'if test -n "${initrd_size}"; then
	setenv tc_file initrd; setenv tc_addr ${ramdisk_addr_r}; setenv tc_size ${initrd_size}; setenv tc_sum ${initrd_sum}
	setenv tc_ramdisk ${ramdisk_addr_r}:${initrd_size}
	run tc_load
else
	setenv tc_ramdisk -
fi'
setenv tc_tree 'if test -n "${tree_size}"; then
	setenv tc_file board.dtb; setenv tc_addr ${fdt_addr_r}; setenv tc_size ${tree_size}; setenv tc_sum ${tree_sum}
	setenv tc_fdt ${fdt_addr_r}
	run tc_load
else
	setenv tc_fdt ${fdtcontroladdr}
fi'
setenv tc_clear 'setenv bootargs; setenv kernel_size; setenv kernel_sum; setenv initrd_size; setenv initrd_sum; setenv tree_size; setenv tree_sum'
setenv tc_env 'load ${devtype} ${devnum}:1 ${pxefile_addr_r} /${tc_go}/boot.env @ENVSIZE@ && env import -c ${pxefile_addr_r} ${filesize} bootargs kernel_size kernel_sum initrd_size initrd_sum tree_size tree_sum'
# Returns only where the slot cannot be started.
setenv tc_boot 'if run tc_clear && run tc_env && run tc_kernel && run tc_initrd && run tc_tree; then
	echo truechimer: starting slot ${tc_go}
	setenv bootargs "${bootargs}${tc_more}"
	booti ${kernel_addr_r} ${tc_ramdisk} ${tc_fdt}
fi'

setenv tc_more
${devtype} dev ${devnum}

# A slot to be tried once. The record is cleared and read back first: a card
# that cannot be written any more must not try again and again.
setenv tc_found
setenv tc_at @TRY@
setenv tc_record @TRYA@
run tc_read && run tc_same && setenv tc_found a
setenv tc_record @TRYB@
run tc_read && run tc_same && setenv tc_found b
if test -n "${tc_found}"; then
	setenv tc_record @TRYNONE@
	run tc_make
	${devtype} write ${ramdisk_addr_r} ${tc_at} 1
	if run tc_read && run tc_same; then
		setenv tc_go ${tc_found}
		echo truechimer: trying slot ${tc_go}
		run tc_boot
		echo truechimer: slot ${tc_go} cannot be started, back to the committed one
		reset
	fi
	echo truechimer: the record of the trial cannot be cleared, no trial
fi

# The committed slot: copy 1, else copy 2, else a.
setenv tc_found
setenv tc_at @COPY1@
run tc_find
if test -z "${tc_found}"; then
	setenv tc_at @COPY2@
	run tc_find
fi
if test -z "${tc_found}"; then
	setenv tc_found a
fi
setenv tc_go ${tc_found}
run tc_boot

# The last resort: the slot that was there before. It is told so, or it would
# take itself for one on trial and go back to what cannot be started.
echo truechimer: slot ${tc_go} cannot be started, trying the other one
if test "${tc_found}" = a; then setenv tc_go b; else setenv tc_go a; fi
setenv tc_more " @RESCUE@"
run tc_boot
echo truechimer: neither slot can be started, again in a minute
sleep 10; sleep 10; sleep 10; sleep 10; sleep 10; sleep 10
reset
