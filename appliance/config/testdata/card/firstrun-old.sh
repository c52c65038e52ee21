#!/bin/bash
set +e
echo kitchen >/etc/hostname
cat >/etc/wpa_supplicant/wpa_supplicant.conf <<'WPAEOF'
country=FR
ctrl_interface=DIR=/var/run/wpa_supplicant GROUP=netdev
update_config=1
network={
	scan_ssid=1
	ssid="Chez nous"
	psk=6c1f0b5e8d2a947733e0c4b1a6f8d9021e5c7b3a48f60d91b2c3d4e5f6071829
}

WPAEOF
chmod 600 /etc/wpa_supplicant/wpa_supplicant.conf
exit 0
