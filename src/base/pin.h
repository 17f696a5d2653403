/*
 * pin.h
 *		Settings under which router reads, writes and runs text, see pin.c.
 */
#ifndef ROUTER_PIN_H
#define ROUTER_PIN_H

extern int	router_pin_settings(const char *time_zone);
extern void router_pin_creation(void);
extern bool router_is_pinned(void);
extern int	router_spi_begin(void);
extern void router_spi_end(int guc_level);

#endif
