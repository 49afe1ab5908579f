-- Invented sample rows. One shop (id_shop 1), languages 1 = fr, 2 = en, currencies 1 = EUR, 2 = USD, PS_TIMEZONE Europe/Paris (naive local DATETIME).
SET SESSION sql_mode='';
INSERT INTO `ps_currency` VALUES (1,'Euro','EUR','978',2,1.000000,0,1,0,0),(2,'US Dollar','USD','840',2,1.080000,0,1,0,0);
INSERT INTO `ps_order_state` (`id_order_state`,`invoice`,`unremovable`,`logable`,`delivery`,`shipped`,`paid`) VALUES
 (1,0,1,0,0,0,0),(2,1,1,1,0,0,1),(3,1,1,1,1,0,1),(4,1,1,1,1,1,1),(5,1,1,1,1,1,1),(6,0,1,0,0,0,0),(7,1,1,0,0,0,0),(8,0,1,0,0,0,0),(9,1,1,0,0,0,1),(10,0,1,0,0,0,0),(11,0,1,0,0,0,0),(12,1,1,1,0,0,1),(13,0,1,0,0,0,0),(14,0,1,0,0,0,0);
INSERT INTO `ps_customer` (`id_customer`,`id_gender`,`id_default_group`,`id_lang`,`firstname`,`lastname`,`email`,`passwd`,`last_passwd_gen`,`birthday`,`newsletter`,`newsletter_date_add`,`optin`,`active`,`is_guest`,`deleted`,`date_add`,`date_upd`) VALUES
 (11,1,3,2,'Ada','Byrne','ada.byrne@example.com','x','2025-01-10 08:15:00',NULL,1,'2025-01-10 09:15:00',1,1,0,0,'2025-01-10 09:15:00','2025-03-01 10:00:00'),
 (12,1,3,1,'Élodie','Noël','elodie.noel@example.com','x','2025-02-11 17:40:12','1990-05-04',0,NULL,0,1,0,0,'2025-02-11 18:40:12','2025-02-11 18:40:12'),
 (13,0,2,NULL,'Guest','Buyer','guest.buyer@example.com','x','2025-03-30 01:30:00',NULL,0,NULL,0,1,1,0,'2025-03-30 02:30:00','2025-03-30 02:30:00'),
 (14,0,3,1,'Kai','Berg','kai@example.com','x','2025-04-01 08:00:00',NULL,0,NULL,1,1,0,0,'2025-04-01 10:00:00','2025-04-01 10:00:00'),
 (15,0,3,3,'Old','Account','old@example.com','x','2025-04-02 08:00:00',NULL,1,NULL,1,1,0,0,'2025-04-02 10:00:00','2025-04-02 10:00:00');
INSERT INTO `ps_product` (`id_product`,`id_manufacturer`,`id_category_default`,`id_tax_rules_group`,`online_only`,`price`,`reference`,`active`,`cache_default_attribute`,`date_add`,`date_upd`,`product_type`) VALUES
 (20,3,5,1,0,19.900000,'TSHIRT',1,201,'2025-01-01 08:00:00','2025-03-01 08:00:00','combinations'),
 (21,NULL,6,1,1,11.900000,'MUG-01',1,0,'2025-01-02 08:00:00','2025-03-02 08:00:00','standard');
INSERT INTO `ps_product_shop` (`id_product`,`id_shop`,`id_category_default`,`id_tax_rules_group`,`online_only`,`price`,`active`,`cache_default_attribute`,`date_add`,`date_upd`) VALUES
 (20,1,5,1,0,19.900000,1,201,'2025-01-01 08:00:00','2025-03-01 08:00:00'),(21,1,6,1,1,11.900000,1,0,'2025-01-02 08:00:00','2025-03-02 08:00:00');
INSERT INTO `ps_product_lang` (`id_product`,`id_shop`,`id_lang`,`description`,`link_rewrite`,`name`) VALUES
 (20,1,1,'<p>Coton</p>','t-shirt-brode','T-shirt brodé'),(20,1,2,'<p>Cotton</p>','embroidered-t-shirt','Embroidered T-shirt'),(21,1,1,'','mug','Mug « Bonjour »'),(21,1,2,'','mug','Mug "Hello"');
INSERT INTO `ps_product_attribute` (`id_product_attribute`,`id_product`,`reference`,`price`,`default_on`) VALUES (201,20,'TSHIRT-S',0.000000,1),(202,20,'TSHIRT-XL',2.500000,NULL),(203,20,'',0.000000,NULL);
INSERT INTO `ps_product_attribute_shop` (`id_product`,`id_product_attribute`,`id_shop`,`price`,`default_on`) VALUES (20,201,1,0.000000,1),(20,202,1,2.500000,NULL),(20,203,1,0.000000,NULL);
INSERT INTO `ps_stock_available` (`id_stock_available`,`id_product`,`id_product_attribute`,`id_shop`,`id_shop_group`,`quantity`,`physical_quantity`,`reserved_quantity`,`out_of_stock`) VALUES
 (301,20,0,1,0,17,17,0,2),(302,20,201,1,0,12,12,0,2),(303,20,202,1,0,5,5,0,2),(304,20,203,1,0,0,0,0,2),(305,21,0,1,0,-3,0,3,1);
INSERT INTO `ps_orders` (`id_order`,`reference`,`id_carrier`,`id_lang`,`id_customer`,`id_cart`,`id_currency`,`id_address_delivery`,`id_address_invoice`,`current_state`,`payment`,`conversion_rate`,`module`,`gift`,`total_paid`,`total_paid_tax_incl`,`total_paid_tax_excl`,`total_paid_real`,`total_products`,`total_products_wt`,`total_shipping`,`invoice_date`,`delivery_date`,`valid`,`date_add`,`date_upd`) VALUES
 (501,'XKBKNABJK',1,2,11,901,1,1,1,5,'Card',1.000000,'ps_checkout',0,50.640000,50.640000,42.200000,50.640000,42.200000,50.640000,0.000000,'2025-03-03 10:21:00','2025-03-05 09:00:00',1,'2025-03-03 10:20:30','2025-03-05 09:00:00'),
 (502,'OHSATSERP',1,1,12,902,2,2,2,6,'Wire',1.080000,'ps_wirepayment',1,15.424000,15.424000,12.853333,0.000000,12.853333,15.424000,0.000000,'0000-00-00 00:00:00','0000-00-00 00:00:00',0,'2025-07-15 23:59:59','2025-07-16 08:00:00'),
 (503,'UOYEVOLI1',1,1,13,903,1,3,3,10,'Wire',1.000000,'ps_wirepayment',0,28.560000,28.560000,23.800000,0.000000,23.800000,28.560000,0.000000,'0000-00-00 00:00:00','0000-00-00 00:00:00',0,'2025-10-26 02:30:00','2025-10-26 02:30:00');
INSERT INTO `ps_order_detail` (`id_order_detail`,`id_order`,`id_shop`,`product_id`,`product_attribute_id`,`product_name`,`product_quantity`,`product_quantity_refunded`,`product_price`,`reduction_percent`,`product_reference`,`product_weight`,`tax_name`,`tax_rate`,`total_price_tax_incl`,`total_price_tax_excl`,`unit_price_tax_incl`,`unit_price_tax_excl`,`original_product_price`) VALUES
 (6001,501,1,20,202,'Embroidered T-shirt (Size: XL)',1,0,22.400000,10.00,'TSHIRT-XL',0.300000,'TVA FR 20%',20.000,24.192000,20.160000,24.192000,20.160000,22.400000),
 (6002,501,1,21,0,'Mug "Hello"',2,0,11.900000,0.00,'MUG-01',0.400000,'TVA FR 20%',20.000,28.560000,23.800000,14.280000,11.900000,11.900000),
 (6003,502,1,21,0,'Mug « Bonjour »',1,0,12.852000,0.00,'MUG-01',0.400000,'TVA FR 20%',20.000,15.424000,12.853333,15.424000,12.853333,12.853333),
 (6004,503,1,21,0,'Mug « Bonjour »',2,0,11.900000,0.00,'MUG-01',0.400000,'TVA FR 20%',20.000,28.560000,23.800000,14.280000,11.900000,11.900000),
 (6005,503,1,20,203,'T-shirt brodé (Taille : M)',1,0,19.900000,0.00,'TSHIRT',0.300000,'TVA FR 20%',20.000,23.880000,19.900000,23.880000,19.900000,19.900000);
-- changes after the snapshot (they become u, c and d events)
-- @@CHANGES
UPDATE `ps_orders` SET `current_state`=2, `valid`=1, `date_upd`='2025-10-27 09:00:00' WHERE `id_order`=503;
UPDATE `ps_orders` SET `current_state`=7, `date_upd`='2025-11-01 09:00:00' WHERE `id_order`=501;
UPDATE `ps_customer` SET `newsletter`=0, `optin`=0, `date_upd`='2025-11-02 09:00:00' WHERE `id_customer`=11;
UPDATE `ps_customer` SET `deleted`=1, `date_upd`='2025-11-03 09:00:00' WHERE `id_customer`=12;
UPDATE `ps_stock_available` SET `quantity`=11, `physical_quantity`=11 WHERE `id_stock_available`=302;
UPDATE `ps_product_lang` SET `name`='Mug "Hi there"' WHERE `id_product`=21 AND `id_shop`=1 AND `id_lang`=2;
DELETE FROM `ps_order_detail` WHERE `id_order_detail`=6005;
DELETE FROM `ps_product_attribute_shop` WHERE `id_product_attribute`=203;
DELETE FROM `ps_stock_available` WHERE `id_stock_available`=304;
DELETE FROM `ps_product_attribute` WHERE `id_product_attribute`=203;
UPDATE `ps_product_shop` SET `price`=12.500000 WHERE `id_product`=21;
CALL replenit_refresh_variants();
DELETE FROM `ps_product_attribute_shop` WHERE `id_product_attribute`=202; DELETE FROM `ps_stock_available` WHERE `id_stock_available`=303; DELETE FROM `ps_product_attribute` WHERE `id_product_attribute`=202;
CALL replenit_refresh_variants();
CALL replenit_refresh_variants();
UPDATE `ps_customer` SET `newsletter`=1, `date_upd`='2025-11-04 09:00:00' WHERE `id_customer`=14;
UPDATE `ps_customer` SET `deleted`=1, `date_upd`='2025-11-04 09:00:00' WHERE `id_customer`=15;
INSERT INTO `ps_product` (`id_product`,`id_tax_rules_group`,`price`,`reference`,`active`,`date_add`,`date_upd`,`product_type`,`state`) VALUES (22,1,0.000000,'',0,'2025-11-05 09:00:00','2025-11-05 09:00:00','standard',0);
UPDATE `ps_product` SET `state`=1, `active`=1, `price`=9.500000 WHERE `id_product`=22;
INSERT INTO `ps_product_shop` (`id_product`,`id_shop`,`id_tax_rules_group`,`price`,`active`,`date_add`,`date_upd`) VALUES (22,1,1,9.500000,1,'2025-11-05 09:00:00','2025-11-05 09:00:00');
INSERT INTO `ps_product_lang` (`id_product`,`id_shop`,`id_lang`,`link_rewrite`,`name`) VALUES (22,1,1,'casquette','Casquette'),(22,1,2,'cap','Cap');
INSERT INTO `ps_stock_available` (`id_stock_available`,`id_product`,`id_product_attribute`,`id_shop`,`id_shop_group`,`quantity`,`physical_quantity`,`reserved_quantity`,`out_of_stock`) VALUES (306,22,0,1,0,0,0,0,2);
CALL replenit_refresh_variants();
DELETE FROM `ps_product_attribute_shop` WHERE `id_product`=20; DELETE FROM `ps_product_attribute` WHERE `id_product`=20; DELETE FROM `ps_stock_available` WHERE `id_product`=20;
DELETE FROM `ps_product_lang` WHERE `id_product`=20; DELETE FROM `ps_product_shop` WHERE `id_product`=20; DELETE FROM `ps_product` WHERE `id_product`=20;
CALL replenit_refresh_variants();
