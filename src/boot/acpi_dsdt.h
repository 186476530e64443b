/* The DSDT's body (private to src/boot). */
#ifndef ACPI_DSDT_H
#define ACPI_DSDT_H

struct acpi_board;
struct aml;

/* Appends the definition block that describes @board, without the table's header. */
void acpi_dsdt_describe(struct aml *a, const struct acpi_board *board);

#endif
